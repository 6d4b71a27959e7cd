# SPDX-License-Identifier: MIT
"""Checks between the fields of a scenario. Each gives the key, its value and what is allowed."""

import difflib
from collections.abc import Iterable, Iterator

from cosim.scenario import names
from cosim.scenario.bearer import check_bearer
from cosim.scenario.carrier import BandwidthPart, CarrierSection
from cosim.scenario.errors import Problem, show
from cosim.scenario.finetuning import FinetuningTraffic
from cosim.scenario.layout import check_layout
from cosim.scenario.mac_checks import mac_problems
from cosim.scenario.model import Scenario
from cosim.scenario.retrieval import RetrievalTraffic
from cosim.scenario.sources import LoadTraffic, TokenTraffic
from cosim.scenario.traffic import AgentTraffic, CbrTraffic, SemanticTraffic, Traffic

TDD_PERIODS_MS = (0.5, 0.625, 1.0, 1.25, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0)
"""dl-UL-TransmissionPeriodicity, TS 38.331 (TDD-UL-DL-ConfigCommon)."""

UL_ALPHAS = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Alpha of TS 38.331."""

IP_UDP_HEADER_BYTES = 28  # 20 of IPv4 (RFC 791) and 8 of UDP (RFC 768)
MAX_FLOWS = 60_000  # a UDP port each, from 5000
MAX_CHANNEL_BYTES = 2**30  # of channel blocks in shared memory
SPEED_OF_LIGHT_M_S = 299_792_458.0


def cross_checks(scenario: Scenario) -> list[Problem]:
    """Return all problems between fields, in the order of the file's sections."""
    problems = list(_carrier(scenario))
    # Slot counts mean nothing with a numerology that the carrier cannot have.
    slotted = () if problems else (_tdd, _channel)
    for check in (*slotted, _ues, check_layout, _mac, _traffic, _models):
        problems.extend(check(scenario))
    return problems


def frequency_range(frequency_hz: float) -> int | None:
    """Return 1 or 2 for FR1 or FR2 (TS 38.104 table 5.1-1), None between and beyond them."""
    if 410e6 <= frequency_hz <= 7125e6:
        return 1
    if 24.25e9 <= frequency_hz <= 71e9:
        return 2
    return None


def prbs(bandwidth_mhz: int, numerology: int, fr: int | None) -> int | None:
    """Return the number of PRBs of a carrier, None if the standard has no such carrier."""
    from sionna_phy.carrier import prb_count

    if fr is None:
        return None
    try:
        return int(prb_count(bandwidth_mhz, numerology, fr))
    except (ValueError, KeyError):
        return None


def _carrier(scenario: Scenario) -> Iterator[Problem]:
    carrier = scenario.carrier
    fr = frequency_range(carrier.frequency_hz)
    if fr is None:
        yield Problem(
            "carrier.frequency_hz",
            show(carrier.frequency_hz),
            "410e6 to 7125e6 (FR1) or 24.25e9 to 71e9 (FR2)",
        )
        return
    for part, at in named_parts(carrier):
        yield from _part(part, at, fr)


def named_parts(carrier: CarrierSection) -> Iterator[tuple[BandwidthPart, str]]:
    """Yield each bandwidth part and the path of its table."""
    for number, part in enumerate(carrier.all_parts):
        yield part, "carrier" if number == 0 else f"carrier.parts.{number - 1}"


def _part(part: BandwidthPart, at: str, fr: int) -> Iterator[Problem]:
    if prbs(part.bandwidth_mhz, part.numerology, fr) is not None:
        return
    numerologies = [mu for mu in range(7) if any(prbs(b, mu, fr) for b in _BANDWIDTHS_MHZ)]
    if part.numerology not in numerologies:
        yield Problem(
            f"{at}.numerology",
            show(part.numerology),
            f"FR{fr} has {_listed(numerologies)} (TS 38.101)",
        )
        return
    allowed = [b for b in _BANDWIDTHS_MHZ if prbs(b, part.numerology, fr)]
    yield Problem(
        f"{at}.bandwidth_mhz",
        show(part.bandwidth_mhz),
        f"numerology {part.numerology} in FR{fr} has {_listed(allowed)} MHz (TS 38.101)",
    )


# Every bandwidth of TS 38.101-1 and -2 tables 5.3.2-1, for the list of what is allowed.
_BANDWIDTHS_MHZ = (
    3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100, 200, 400, 800, 1600, 2000,
)  # fmt: skip


def _tdd(scenario: Scenario) -> Iterator[Problem]:
    if scenario.carrier.duplex == "tdd":
        for part, at in named_parts(scenario.carrier):
            yield from _pattern(scenario, part, at)


def _pattern(scenario: Scenario, part: BandwidthPart, at: str) -> Iterator[Problem]:
    pattern = part.tdd_pattern
    path, given = f"{at}.tdd_pattern", show(pattern)
    wrong = sorted(set(pattern) - set("DSU"))
    if wrong:
        hint = (
            f"did you mean {show(pattern.upper())}?"
            if not set(pattern.upper()) - set("DSU")
            else None
        )
        yield Problem(path, given, "letters D, S and U, one a slot", hint)
        return
    if "U" not in pattern:
        users = [i for i, t in enumerate(scenario.traffic) if t.direction != "dl"]
        why = f"traffic.{users[0]} is uplink" if users else "HARQ feedback needs it"
        yield Problem(path, given, f"at least one U slot ({why})")
    if "D" not in pattern:
        yield Problem(path, given, "at least one D slot (control and downlink data need it)")
    period_ms = len(pattern) * part.slot_s * 1e3
    if not any(abs(period_ms - p) < 1e-9 for p in TDD_PERIODS_MS):
        lengths = [p / (part.slot_s * 1e3) for p in TDD_PERIODS_MS]
        whole = [round(n) for n in lengths if abs(n - round(n)) < 1e-9 and n >= 1]
        yield Problem(
            path,
            given,
            f"{_listed(whole)} letters at numerology {part.numerology} (TS 38.331: the pattern "
            f"lasts {_listed(TDD_PERIODS_MS)} ms, not {period_ms:g})",
        )


def _channel(scenario: Scenario) -> Iterator[Problem]:
    channel, carrier = scenario.channel, scenario.carrier
    yield from _channel_model(scenario)
    slot_s = max(part.slot_s for part in carrier.all_parts)
    interval_s = channel.sample_interval_s
    if interval_s < slot_s * (1 - 1e-9):
        most = max(int(channel.block_duration_s / slot_s + 1e-9), 1)
        yield Problem(
            "channel.samples_per_block",
            show(channel.samples_per_block),
            f"a sample (block_duration_s / samples_per_block = {interval_s:g} s) lasts at least a "
            f"slot of {slot_s:g} s: at most {most}"
            if channel.block_duration_s >= slot_s
            else f"block_duration_s = {channel.block_duration_s:g} is less than a slot",
        )
    elif channel.model not in ("constant", "distance") and scenario.ues.speed_m_s > 0:
        doppler_hz = scenario.ues.speed_m_s * carrier.frequency_hz / SPEED_OF_LIGHT_M_S
        longest_s = max(0.5 / doppler_hz, slot_s)
        if interval_s > longest_s * (1 + 1e-9):
            least = -(-channel.block_duration_s // longest_s)
            yield Problem(
                "channel.samples_per_block",
                show(channel.samples_per_block),
                f"a sample of {interval_s:g} s is longer than half a period of the Doppler shift "
                f"({doppler_hz:.4g} Hz at ues.speed_m_s = {scenario.ues.speed_m_s:g}): at least "
                f"{least:.0f}",
            )
    count = sum(scenario.prb_counts)
    if count:
        cells, ues = len(scenario.cells), scenario.ues.count
        size = 4 * channel.samples_per_block * cells * ues * count
        total = size * (channel.look_ahead_blocks + 1)
        if total > MAX_CHANNEL_BYTES:
            yield Problem(
                "channel.samples_per_block",
                show(channel.samples_per_block),
                f"{channel.look_ahead_blocks + 1} blocks of {cells} cells x {ues} UEs x {count} "
                f"PRBs take {total / 2**20:.0f} MiB, at most {MAX_CHANNEL_BYTES // 2**20}",
                "use shorter blocks (channel.block_duration_s) or fewer samples, UEs or cells",
            )


def _channel_model(scenario: Scenario) -> Iterator[Problem]:
    channel = scenario.channel
    for model, key, example in (("rt", "scene", '"munich"'), ("replay", "file", "its path")):
        value = getattr(channel, key)
        if channel.model == model and not value:
            yield Problem(f"channel.{key}", "", f"is needed with channel.model = {show(model)}: "
                          f"{example}")  # fmt: skip
        elif channel.model != model and value:
            yield Problem(f"channel.{key}", show(value), f"only with channel.model = {show(model)}")
    if channel.soft_los:
        from sionna_phy.model_names import SOFT_LOS_MODELS

        if channel.model not in SOFT_LOS_MODELS or channel.los != "random":
            yield Problem(
                "channel.soft_los",
                show(channel.soft_los),
                f"only with channel.model {', '.join(map(show, SOFT_LOS_MODELS))} "
                'and channel.los = "random"',
            )
        elif scenario.mobility.model == "fixed":
            yield Problem(
                "channel.soft_los",
                show(channel.soft_los),
                'nobody changes places with mobility.model = "fixed"',
            )
    if channel.model in ("inh", "inf") and scenario.ues.indoor_fraction != 1.0:
        yield Problem(
            "ues.indoor_fraction",
            show(scenario.ues.indoor_fraction),
            f"1.0 with channel.model = {show(channel.model)}: everybody is indoors",
        )


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
            f"{_listed(names.bler_table_names())}, or a file (.json) of `cosim phy bler`",
            _near(table, names.bler_table_names()),
        )
    yield from mac_problems(scenario)
    if scenario.mac.ul_alpha not in UL_ALPHAS:
        yield Problem(
            "mac.ul_alpha", show(scenario.mac.ul_alpha), f"{_listed(UL_ALPHAS)} (TS 38.331)"
        )


def _traffic(scenario: Scenario) -> Iterator[Problem]:
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
            yield from _retrieval(traffic, at)
            yield from _packet_size(scenario, traffic.max_packet_bytes, f"{at}.max_packet_bytes")
        elif isinstance(traffic, FinetuningTraffic):
            from cosim.scenario import finetuning_checks

            yield from finetuning_checks.problems(scenario, traffic, at)
            yield from _packet_size(scenario, traffic.max_packet_bytes, f"{at}.max_packet_bytes")
            yield from _name(f"{at}.task", traffic.task, names.task_names())
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
    yield from _name(f"{at}.task", traffic.task, names.task_names())
    if traffic.codec not in names.codec_names():
        yield from _name(f"{at}.codec", traffic.codec, names.codec_names())
        return
    able = names.codec_tasks(traffic.codec)
    if able is not None and traffic.task in names.task_names() and traffic.task not in able:
        yield Problem(
            f"{at}.task",
            show(traffic.task),
            f"codec {show(traffic.codec)} has weights for {_listed(able)}",
        )
    if traffic.rung == names.AUTO:
        yield from _auto(traffic, at)
    elif not names.is_rung(traffic.codec, traffic.rung):
        yield from _name(f"{at}.rung", traffic.rung, names.rung_names(traffic.codec))
    if traffic.codec == names.SERVICE_CODEC:
        from cosim.scenario import finetuning_checks

        yield from finetuning_checks.service_problems(scenario, traffic, at)
    least = names.smallest_packet_bytes(traffic.codec)
    if traffic.max_packet_bytes < least:
        yield Problem(
            f"{at}.max_packet_bytes",
            show(traffic.max_packet_bytes),
            f"at least {least}: a packet holds whole units of codec {show(traffic.codec)}",
        )


def _auto(traffic: SemanticTraffic, at: str) -> Iterator[Problem]:
    measured = names.ladder_tasks(traffic.codec)
    if traffic.task not in measured:
        yield Problem(
            f"{at}.rung",
            show(traffic.rung),
            f"the rungs of codec {show(traffic.codec)} were measured for "
            f"{_listed(measured) or 'no task'}",
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
            f"known: {_listed(known)}" if known else "no agents are registered",
            _near(traffic.agent, known)
            or "name the file that registers it: cosim run ... --plugin FILE.py",
        )


def _retrieval(traffic: RetrievalTraffic, at: str) -> Iterator[Problem]:
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


def _models(scenario: Scenario) -> Iterator[Problem]:
    known = names.profile_names()
    yield from _name("ues.profile", scenario.ues.profile, known)
    for number, name in enumerate(scenario.ues.profiles):
        yield from _name(f"ues.profiles.{number}", name, known)
    yield from _name("models.edge_profile", scenario.models.edge_profile, known)
    for name in scenario.profiles:
        if name not in known:
            path = "profiles." + "".join(c if c.isprintable() else "?" for c in name[:60])
            yield Problem(path, "", f"known profiles: {_listed(known)}", _near(name, known))


def _name(path: str, given: str, known: Iterable[str]) -> Iterator[Problem]:
    known = tuple(known)
    if given not in known:
        yield Problem(path, show(given), f"known: {_listed(known)}", _near(given, known))


def _near(given: str, known: Iterable[str]) -> str | None:
    close = difflib.get_close_matches(given[:100].lower(), list(known), n=1)
    return f"did you mean {show(close[0])}?" if close else None


def _listed(values: Iterable[object]) -> str:
    return ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in values)
