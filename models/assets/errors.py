# SPDX-License-Identifier: MIT
"""The one error of this room."""


class AssetError(RuntimeError):
    """An asset is unknown, cannot be fetched, or is not the right one; the text says a remedy."""
