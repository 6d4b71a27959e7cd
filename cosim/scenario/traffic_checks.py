# SPDX-License-Identifier: MIT
"""Checks of the [[traffic]] entries."""

from collections.abc import Iterator

from cosim.scenario import names
from cosim.scenario.bearer import check_bearer
from cosim.scenario.errors import Problem, show
from cosim.scenario.finetuning import FinetuningTraffic
from cosim.scenario.model import Scenario
from cosim.scenario.retrieval import RetrievalTraffic
from cosim.scenario.sources import LoadTraffic, TokenTraffic
from cosim.scenario.traffic import AgentTraffic, CbrTraffic, SemanticTraffic, Traffic
from cosim.scenario.wording import listed, near, unknown_name

IP_UDP_HEADER_BYTES = 28  # 20 of IPv4 (RFC 791) and 8 of UDP (RFC 768)
MAX_FLOWS = 60_000  # a UDP port each, from 5000


def traffic_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with the entries, one after the other, and with their number of flows."""
    count = scenario.ues.count
    flows = 0
    for index, traffic in enumerate(scenario.traffic):
        at = f"traffic.{index}"
        answered = isinstance(traffic, SemanticTraffic) and traffic.feedback != "none"
        both = 2 if traffic.direction == "both" or answered else 1
        flows += both * (count if traffic.ues == "all" else len(traffic.ues))
        if traffic.ues != "all":
            absent = [ue for ue in traffic.ues if ue >= count]
            if absent:
                yield Problem(
                    f"{at}.ues",
                    show(traffic.ues),
                    f"UE {absent[0]} does not exist: ues.count = {count} gives 0 to {count - 1}",
                )
        tdd = scenario.carrier.duplex == "tdd"
        patterns = [part.tdd_pattern if tdd else "" for part in scenario.carrier.all_parts]
        yield from check_bearer(traffic, at, patterns=patterns)
        yield from _shared_mark(scenario, index, at)
        if isinstance(traffic, SemanticTraffic):
            yield from _semantic(scenario, traffic, at)
        elif isinstance(traffic, AgentTraffic):
            yield from _agent(traffic, at)
        elif isinstance(traffic, RetrievalTraffic):
            yield from _retrieval(traffic, count, at)
            yield from _packet_size(scenario, traffic.max_packet_bytes, f"{at}.max_packet_bytes")
        elif isinstance(traffic, FinetuningTraffic):
            from cosim.scenario import finetuning_checks

            yield from finetuning_checks.problems(scenario, traffic, at)
            yield from _packet_size(scenario, traffic.max_packet_bytes, f"{at}.max_packet_bytes")
            yield from unknown_name(f"{at}.task", traffic.task, names.task_names())
        else:
            yield from _load(scenario, traffic, at)
    if flows > MAX_FLOWS:
        yield Problem(
            "ues.count",
            show(count),
            f"{flows} flows need a UDP port each, at most {MAX_FLOWS}: fewer UEs or traffic tables",
        )


def _directions(traffic: Traffic) -> set[str]:
    """Return the directions in which an entry has flows."""
    answered = isinstance(traffic, SemanticTraffic) and traffic.feedback != "none"
    return {"dl", "ul"} if traffic.direction == "both" or answered else {traffic.direction}


def _shared_mark(scenario: Scenario, index: int, at: str) -> Iterator[Problem]:
    """Yield a bearer that takes by DSCP what another one takes, or what is in another part."""
    mine = scenario.traffic[index]
    if mine.packet_filter != "dscp":
        return

    def everywhere(traffic: Traffic) -> set[int]:
        return set(range(scenario.ues.count) if traffic.ues == "all" else traffic.ues)

    for number, other in enumerate(scenario.traffic):
        if (
            number == index
            or other.dscp != mine.dscp
            or not _directions(mine) & _directions(other)
            or not everywhere(mine) & everywhere(other)
        ):
            continue
        if other.packet_filter == "dscp" and number < index:
            yield Problem(
                f"{at}.dscp",
                show(mine.dscp),
                f"another one than traffic.{number}.dscp: that flow's bearer takes all packets "
                "with this mark",
                'packet_filter = "port" keeps the mark and puts the packets into that bearer',
            )
        elif other.packet_filter == "port" and other.bandwidth_part != mine.bandwidth_part:
            yield Problem(
                f"{at}.bandwidth_part",
                show(mine.bandwidth_part),
                f"that of traffic.{number}, {other.bandwidth_part}: this bearer takes its packets "
                "too, which have the same dscp",
            )


def _semantic(scenario: Scenario, traffic: SemanticTraffic, at: str) -> Iterator[Problem]:
    parts = scenario.carrier.all_parts
    slot_s = parts[min(traffic.bandwidth_part, len(parts) - 1)].slot_s
    if traffic.deadline_s < slot_s:
        yield Problem(
            f"{at}.deadline_s", show(traffic.deadline_s), f"at least a slot, {slot_s:g} s"
        )
    if scenario.run.drain_s is not None and scenario.run.drain_s < traffic.deadline_s:
        yield Problem(
            "run.drain_s",
            show(scenario.run.drain_s),
            f"at least {at}.deadline_s = {traffic.deadline_s:g}, or the last messages are cut off",
        )
    yield from _packet_size(scenario, traffic.max_packet_bytes, f"{at}.max_packet_bytes")
    yield from unknown_name(f"{at}.task", traffic.task, names.task_names())
    if traffic.codec not in names.codec_names():
        yield from unknown_name(f"{at}.codec", traffic.codec, names.codec_names())
        return
    own = names.own_weights(scenario, traffic.codec)
    able = tuple(own) if own else names.codec_tasks(traffic.codec)
    if able is not None and traffic.task in names.task_names() and traffic.task not in able:
        yield Problem(
            f"{at}.task",
            show(traffic.task),
            f"codec {show(traffic.codec)} has weights for {listed(able)}"
            + (f" in models.weights = {show(scenario.models.weights)}" if own else ""),
        )
    if traffic.rung == names.AUTO and own:
        yield Problem(
            f"{at}.rung",
            show(traffic.rung),
            "a rung by name with models.weights: rungs were measured with the shipped weights",
        )
    elif traffic.rung == names.AUTO:
        yield from _auto(traffic, at)
    elif not names.is_rung(traffic.codec, traffic.rung):
        yield from unknown_name(f"{at}.rung", traffic.rung, names.rung_names(traffic.codec))
    if traffic.codec == names.SERVICE_CODEC:
        from cosim.scenario import finetuning_checks

        yield from finetuning_checks.service_problems(scenario, traffic, at)
    if traffic.delivery != "packet":
        yield from _direct(traffic, at)
    least = names.smallest_packet_bytes(traffic.codec)
    if traffic.max_packet_bytes < least:
        yield Problem(
            f"{at}.max_packet_bytes",
            show(traffic.max_packet_bytes),
            f"at least {least}: a packet holds whole units of codec {show(traffic.codec)}",
        )


def _direct(traffic: SemanticTraffic, at: str) -> Iterator[Problem]:
    """Yield what does not go with delivery as bits or symbols."""
    mode = f'delivery = "{traffic.delivery}"'
    if traffic.delivery == "symbols" and not names.sends_values(traffic.codec):
        able = [name for name in names.codec_names() if names.sends_values(name)]
        yield Problem(
            f"{at}.delivery",
            show(traffic.delivery),
            f"codec {show(traffic.codec)} sends no values; {listed(able)} do",
        )
    if traffic.rung == names.AUTO:
        yield Problem(f"{at}.rung", show(traffic.rung), f"a rung by name with {mode}")
    if traffic.codec == names.SERVICE_CODEC:
        yield Problem(f"{at}.codec", show(traffic.codec), f"another codec with {mode}")
    if traffic.rlc == "am":
        yield Problem(f"{at}.rlc", show(traffic.rlc), f'"um" with {mode}')
    if traffic.feedback != "none":
        yield Problem(f"{at}.feedback", show(traffic.feedback), f'"none" with {mode}')
    if traffic.delivery == "symbols" and traffic.budget_bytes is not None:
        # Rows in the order of their positions: the first ones may be a picture without its
        # question.
        yield Problem(
            f"{at}.budget_bytes",
            show(traffic.budget_bytes),
            f"left out with {mode}: values have no order of importance to cut by",
            'a rung with fewer dimensions sends fewer values, such as rung = "d4-int4"',
        )


def _auto(traffic: SemanticTraffic, at: str) -> Iterator[Problem]:
    measured = names.ladder_tasks(traffic.codec)
    if traffic.task not in measured:
        yield Problem(
            f"{at}.rung",
            show(traffic.rung),
            f"the rungs of codec {show(traffic.codec)} were measured for "
            f"{listed(measured) or 'no task'}",
            f"measure them: python -m models.codecs.ladder --task {traffic.task} "
            f"--codec {traffic.codec}",
        )
    if traffic.feedback != "none":
        yield Problem(
            f"{at}.feedback", show(traffic.feedback), f'"none" with rung = "{names.AUTO}"'
        )


def _agent(traffic: AgentTraffic, at: str) -> Iterator[Problem]:
    known = names.agent_names()
    if traffic.agent not in known:
        yield Problem(
            f"{at}.agent",
            show(traffic.agent),
            f"known: {listed(known)}" if known else "no agents are registered",
            near(traffic.agent, known)
            or "name the file that registers it: cosim run ... --plugin FILE.py",
        )


def _retrieval(traffic: RetrievalTraffic, count: int, at: str) -> Iterator[Problem]:
    there = count if traffic.ues == "all" else len(traffic.ues)
    if traffic.own_holders > there:
        yield Problem(
            f"{at}.own_holders", show(traffic.own_holders), f"at most the {there} UEs of the entry"
        )
    if traffic.local_entries > traffic.global_entries:
        yield Problem(
            f"{at}.local_entries",
            show(traffic.local_entries),
            f"at most {at}.global_entries = {traffic.global_entries}",
        )
    if traffic.base in ("off", "oracle") and traffic.sync != "none":
        yield Problem(f"{at}.sync", show(traffic.sync), f'"none" with base = "{traffic.base}"')


def _load(scenario: Scenario, traffic: CbrTraffic | LoadTraffic, at: str) -> Iterator[Problem]:
    if traffic.stop_s <= traffic.start_s:
        yield Problem(
            f"{at}.stop_s", show(traffic.stop_s), f"after {at}.start_s = {traffic.start_s:g}"
        )
    if traffic.start_s >= scenario.run.duration_s:
        yield Problem(
            f"{at}.start_s",
            show(traffic.start_s),
            f"before the end of the run, run.duration_s = {scenario.run.duration_s:g}",
        )
    yield from _packet_size(scenario, traffic.packet_bytes, f"{at}.packet_bytes")
    if isinstance(traffic, TokenTraffic):
        size = traffic.tokens * traffic.token_bytes
        if size > traffic.packet_bytes:
            yield Problem(
                f"{at}.tokens",
                show(traffic.tokens),
                f"at most {traffic.packet_bytes // traffic.token_bytes}: a packet of "
                f"packet_bytes = {traffic.packet_bytes} holds whole tokens",
            )


def _packet_size(scenario: Scenario, size_bytes: int, path: str) -> Iterator[Problem]:
    most = min(scenario.backhaul.mtu_bytes, scenario.mac.queue_limit_bytes) - IP_UDP_HEADER_BYTES
    if size_bytes > most:
        limit = (
            f"backhaul.mtu_bytes = {scenario.backhaul.mtu_bytes}"
            if scenario.backhaul.mtu_bytes <= scenario.mac.queue_limit_bytes
            else f"mac.queue_limit_bytes = {scenario.mac.queue_limit_bytes}"
        )
        yield Problem(
            path,
            show(size_bytes),
            f"at most {most}: {limit} less {IP_UDP_HEADER_BYTES} of IP and UDP headers",
        )
