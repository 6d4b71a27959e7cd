# SPDX-License-Identifier: MIT
"""Traces in; KPIs, tables and figures out. Knows a run only by its folder.

It may import `cosim.traces` and nothing else of the project, so that a finished run can be analysed
where neither ns-3 nor a model is installed.
"""
