# SPDX-License-Identifier: MIT
"""One self-contained HTML file about runs and campaigns: `write_report`.

The page has its data, its style and its few hundred lines of JavaScript inside; it loads nothing,
so it opens anywhere and can be sent by mail.
"""

from analysis.report.page import write_report

__all__ = ["write_report"]
