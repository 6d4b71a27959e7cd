# SPDX-License-Identifier: MIT
"""Codecs with the real model and the shipped weights; `python -m models.prepare` fetches it."""

import pytest

from models.codecs import codec_names, get_codec


@pytest.fixture(scope="session")
def codecs():
    return {name: get_codec(name, on_disk=False) for name in codec_names()}
