# SPDX-License-Identifier: MIT
"""Checks between the fields of a scenario. Each gives the key, its value and what is allowed."""

from collections.abc import Iterator

from cosim.scenario import names
from cosim.scenario.carrier_checks import carrier_problems, tdd_problems
from cosim.scenario.channel_checks import channel_problems
from cosim.scenario.errors import Problem, show
from cosim.scenario.layout import check_layout
from cosim.scenario.mac_checks import mac_problems
from cosim.scenario.model import Scenario
from cosim.scenario.traffic_checks import traffic_problems
from cosim.scenario.weight_checks import weight_problems
from cosim.scenario.wording import listed, near, unknown_name

UL_ALPHAS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Alpha of TS 38.331."""


def cross_checks(scenario: Scenario) -> list[Problem]:
    """Return all problems between fields, in the order of the file's sections."""
    problems = list(carrier_problems(scenario))
    # Slot counts mean nothing with a numerology that the carrier cannot have.
    slotted = () if problems else (tdd_problems, channel_problems)
    for check in (*slotted, _ues, check_layout, _mac, traffic_problems, _models, weight_problems):
        problems.extend(check(scenario))
    return problems


def _ues(scenario: Scenario) -> Iterator[Problem]:
    ues = scenario.ues
    if ues.placement == "list":
        if ues.positions_m is None:
            yield Problem(
                "ues.positions_m", "", 'is needed with ues.placement = "list": [x, y, height] a UE'
            )
        elif len(ues.positions_m) != ues.count:
            yield Problem(
                "ues.positions_m",
                f"{len(ues.positions_m)} positions",
                f"as many as ues.count = {ues.count}",
            )
    else:
        if ues.positions_m is not None:
            yield Problem(
                "ues.positions_m",
                f"{len(ues.positions_m)} positions",
                'only with ues.placement = "list"',
            )
        if ues.max_distance_m <= ues.min_distance_m:
            yield Problem(
                "ues.max_distance_m",
                show(ues.max_distance_m),
                f"more than ues.min_distance_m = {ues.min_distance_m:g}",
            )


def _mac(scenario: Scenario) -> Iterator[Problem]:
    table = scenario.mac.bler_table
    if table not in names.bler_table_names() and not table.endswith(".json"):
        yield Problem(
            "mac.bler_table",
            show(table),
            f"{listed(names.bler_table_names())}, or a file (.json) of `cosim phy bler`",
            near(table, names.bler_table_names()),
        )
    yield from mac_problems(scenario)
    if scenario.mac.ul_alpha not in UL_ALPHAS:
        yield Problem(
            "mac.ul_alpha", show(scenario.mac.ul_alpha), f"{listed(UL_ALPHAS)} (TS 38.331)"
        )


def _models(scenario: Scenario) -> Iterator[Problem]:
    known = names.profile_names()
    yield from unknown_name("ues.profile", scenario.ues.profile, known)
    for number, name in enumerate(scenario.ues.profiles):
        yield from unknown_name(f"ues.profiles.{number}", name, known)
    yield from unknown_name("models.edge_profile", scenario.models.edge_profile, known)
    for name in scenario.profiles:
        if name not in known:
            path = "profiles." + "".join(c if c.isprintable() else "?" for c in name[:60])
            yield Problem(path, "", f"known profiles: {listed(known)}", near(name, known))
