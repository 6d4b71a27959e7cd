# SPDX-License-Identifier: MIT
"""Checks of the MAC section against the rest of the scenario."""

from collections.abc import Iterator

from cosim.scenario import names
from cosim.scenario.errors import Problem, show
from cosim.scenario.mac import OWN_SCHEDULER, SCHEDULERS, MacSection
from cosim.scenario.model import Scenario
from cosim.scenario.wording import near


def mac_problems(scenario: Scenario) -> Iterator[Problem]:
    """Return what is wrong with layers, schedulers and tables."""
    yield from _layers(scenario)
    for key in ("scheduler", "ul_scheduler"):
        yield from _scheduler(key, getattr(scenario.mac, key))
    yield from _python(scenario.mac)
    mac = scenario.mac
    for index, traffic in enumerate(scenario.traffic):
        less = getattr(traffic, "less_harq_tx", None)
        most = getattr(traffic, "max_harq_tx", None) or mac.max_harq_tx
        if less is not None and less > most:
            yield Problem(
                f"traffic.{index}.less_harq_tx",
                show(less),
                f"at most the transmissions of important packets, {most}",
            )


def _scheduler(key: str, name: str | None) -> Iterator[Problem]:
    if name is None or name in SCHEDULERS or OWN_SCHEDULER.fullmatch(name):
        return
    yield Problem(
        f"mac.{key}",
        show(name),
        f"one of {', '.join(SCHEDULERS)}, or a class of your own, ns3::Name",
        near(name, SCHEDULERS),
    )


def _layers(scenario: Scenario) -> Iterator[Problem]:
    gnb = scenario.gnb
    panel = gnb.antenna_rows * gnb.antenna_columns * (2 if gnb.polarisation == "dual" else 1)
    most = min(panel, scenario.ues.antennas)
    for key in ("max_layers", "ul_max_layers"):
        layers = getattr(scenario.mac, key)
        if layers > most:
            yield Problem(
                f"mac.{key}",
                show(layers),
                f"at most {most}: every layer needs an antenna on both sides, and there are "
                f"{scenario.ues.antennas} at a UE (ues.antennas) and {panel} at a gNB",
            )


def _python(mac: MacSection) -> Iterator[Problem]:
    used = "python" in (mac.scheduler, mac.ul_scheduler)
    known = names.scheduler_names()
    listed = f"registered: {', '.join(known)}" if known else "no scheduler is registered"
    remedy = "name the file that registers it: cosim run ... --plugin FILE.py"
    if used and mac.python_scheduler is None:
        yield Problem("mac.python_scheduler", "", f'is needed with "python"; {listed}', remedy)
    elif used and mac.python_scheduler not in known:
        hint = near(str(mac.python_scheduler), known) or remedy
        yield Problem("mac.python_scheduler", show(mac.python_scheduler), listed, hint)
    if mac.python_action == "prbs" and mac.python_period_slots != 1:
        yield Problem(
            "mac.python_period_slots",
            show(mac.python_period_slots),
            '1 with mac.python_action = "prbs": PRBs are for one slot; "weights" hold for more',
        )
