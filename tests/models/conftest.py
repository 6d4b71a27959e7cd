# SPDX-License-Identifier: MIT
"""Codecs with the real model and the shipped weights; `python -m models.prepare` fetches it."""

import pytest

from models.codecs import get_codec


class Codecs(dict):
    """Each codec is made when a test first asks for it."""

    def __missing__(self, name):
        self[name] = get_codec(name, on_disk=False)
        return self[name]


@pytest.fixture(scope="session")
def codecs():
    return Codecs()
