# SPDX-License-Identifier: MIT
"""What `cosim assets` and `cosim doctor` ask of `models.assets`, in one place."""


def missing(group: str) -> list[str]:
    """Return the names of a group's assets that are not in the cache."""
    raise NotImplementedError
