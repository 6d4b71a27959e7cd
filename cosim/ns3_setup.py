# SPDX-License-Identifier: MIT
"""What ns-3 is told at its start: attributes, nodes, flows, and the link abstraction's tables.

The text follows ns-3's configuration store (`default Class::Attribute value`), with one line for
each node and flow; `docs/architecture.md` lists the statements.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cosim.plan import Plan, has_feedback
from cosim.scenario import AgentTraffic, FinetuningTraffic, RetrievalTraffic, SemanticTraffic
from cosim.scenario.bearer import bearer_options
from cosim.scenario.layout import HandoverSection
from cosim.scenario.mac import SCHEDULERS
from cosim.scenario.sources import LoadTraffic, TcpTraffic
from cosim.scenario.traffic import Traffic
from cosim.utility import UtilityCurve
from sionna_phy.abstraction import BlerTable

TCP_BUFFER_BYTES = 4_000_000
PART_TEXT, PART_BLER, PART_BETA = 1, 2, 3


class Ns3NotFoundError(RuntimeError):
    """The ns-3 executable is not where the package's installation puts it."""


def find_executable() -> Path:
    """Return the ns-3 executable's path.

    `COSIM_NS3` names another one (for example built against one's own ns-3 tree).

    Raises:
        Ns3NotFoundError: with the remedy.
    """
    override = os.environ.get("COSIM_NS3")
    if override:
        if shutil.which(override) is None:
            raise Ns3NotFoundError(f"COSIM_NS3={override} is not an executable file")
        return Path(override)
    from cosim.bridge import _bridge

    path = Path(_bridge.__file__).parent.parent / "bin" / "cosim-ns3"
    if not path.is_file():
        raise Ns3NotFoundError(f"{path} is missing: run `make setup` or `pip install .` again")
    return path


def setup_text(plan: Plan, utilities: Mapping[int, UtilityCurve] | None = None) -> str:
    """Return the configuration text of a plan.

    Args:
        plan: what to simulate.
        utilities: by flow, for schedulers that look at the receivers' accuracy.
    """
    scenario = plan.scenario
    mac, gnb, ues, carrier = scenario.mac, scenario.gnb, scenario.ues, scenario.carrier
    backhaul, traces = scenario.backhaul, scenario.traces
    uplink = mac.ul_scheduler or mac.scheduler
    defaults: dict[str, object] = {
        "ns3::NrCarrier::Numerology": carrier.numerology,
        "ns3::NrCarrier::Prbs": scenario.prb_count,
        "ns3::NrCarrier::TddPattern": carrier.tdd_pattern if carrier.duplex == "tdd" else "",
        "ns3::NrCarrier::McsTable": mac.mcs_table,
        "ns3::NrRan::Scheduler": SCHEDULERS.get(mac.scheduler, mac.scheduler),
        "ns3::NrRan::UlScheduler": SCHEDULERS.get(uplink, uplink),
        "ns3::NrExternalScheduler::ByWeight": str(mac.python_action == "weights").lower(),
        "ns3::NrExternalScheduler::PeriodSlots": mac.python_period_slots,
        "ns3::NrLink::AverageSlots": mac.pf_window_slots,
        "ns3::NrRan::MaxLayers": mac.max_layers,
        "ns3::NrRan::MaxUlLayers": mac.ul_max_layers,
        "ns3::NrRan::SrPeriod": mac.sr_period_slots,
        "ns3::NrRan::SrGrantBytes": mac.sr_grant_bytes,
        "ns3::NrRan::BsrDelay": mac.bsr_delay_slots,
        "ns3::NrRan::ConfiguredGrantPeriod": mac.configured_grant_period_slots,
        "ns3::NrRan::ConfiguredGrantBytes": mac.configured_grant_bytes,
        "ns3::NrHarqCombining::IncrementalRedundancy": str(
            mac.harq_combining == "incremental"
        ).lower(),
        "ns3::NrLinkAdaptation::StepDb": mac.olla_step_db,
        "ns3::NrLinkAdaptation::LimitDb": mac.olla_limit_db,
        "ns3::NrRan::GnbTxPower": gnb.tx_power_dbm,
        "ns3::NrRan::GnbNoiseFigure": gnb.noise_figure_db,
        "ns3::NrRan::UeTxPower": ues.tx_power_dbm,
        "ns3::NrRan::UeNoiseFigure": ues.noise_figure_db,
        "ns3::NrRan::UlP0": mac.ul_p0_dbm,
        "ns3::NrRan::UlAlpha": mac.ul_alpha,
        "ns3::NrRan::MaxHarqTx": mac.max_harq_tx,
        "ns3::NrRan::K1": mac.k1_slots,
        "ns3::NrRan::CqiPeriod": mac.cqi_period_slots,
        "ns3::NrRan::UlGrantDelay": mac.ul_grant_delay_slots,
        "ns3::NrRan::KpiPeriod": f"{traces.kpi_period_s * 1e9:.0f}ns",
        "ns3::NrRan::SlotTrace": str(traces.slots).lower(),
        "ns3::NrRan::TruthFraction": scenario.truth.fraction,
        "ns3::NrRan::HeaderBackoff": mac.direct_header_backoff,
        "ns3::NrLink::HarqProcesses": mac.harq_processes,
        "ns3::NrLinkAdaptation::BlerTarget": mac.bler_target,
        "ns3::NrLinkAdaptation::OuterLoop": str(mac.olla).lower(),
        "ns3::NrLinkAdaptation::DelaySlots": mac.cqi_delay_slots,
        # Segments that fill packets of the backhaul, and buffers for fast links with a long way.
        "ns3::TcpSocket::SegmentSize": max(scenario.backhaul.mtu_bytes - 52, 1),
        "ns3::TcpSocket::SndBufSize": TCP_BUFFER_BYTES,
        "ns3::TcpSocket::RcvBufSize": TCP_BUFFER_BYTES,
        "ns3::NrInterference::MaxInterferers": mac.max_interferers,
        **_handover_defaults(scenario.handover),
        "ns3::NrRlc::QueueLimit": mac.queue_limit_bytes,
        "ns3::NrRlc::DropByImportance": str(mac.queue_drop == "importance").lower(),
        "ns3::NrRlcUm::ReassemblyTime": f"{mac.rlc_reassembly_s * 1e9:.0f}ns",
        "ns3::NrRlcAm::ReassemblyTime": f"{mac.rlc_reassembly_s * 1e9:.0f}ns",
        "ns3::NrRlcAm::PollRetransmit": f"{mac.rlc_poll_retransmit_s * 1e9:.0f}ns",
        "ns3::NrRlcAm::PollPdu": mac.rlc_poll_pdu,
        "ns3::NrRlcAm::PollByte": mac.rlc_poll_bytes,
        "ns3::NrRlcAm::MaxRetx": mac.rlc_max_retx,
        "ns3::NrRlcStatus::StatusProhibit": f"{mac.rlc_status_prohibit_s * 1e9:.0f}ns",
    }
    lines = [
        f"global RngSeed {plan.seed('ns3', 'seed', bits=31) or 1}",
        f"global RngRun {plan.seed('ns3', 'run', bits=31)}",
        *(f"default {name} {value}" for name, value in defaults.items()),
        f"duration_s {plan.duration_s!r}",
        f"backhaul rate_bps={backhaul.data_rate_bps!r} delay_s={backhaul.delay_s!r} "
        f"mtu_bytes={backhaul.mtu_bytes}",
    ]
    for number, (part, prbs) in enumerate(
        zip(carrier.parts, scenario.prb_counts[1:], strict=True), start=1
    ):
        pattern = f" tdd_pattern={part.tdd_pattern}" if carrier.duplex == "tdd" else ""
        lines.append(f"bandwidth_part {number} numerology={part.numerology} prbs={prbs}{pattern}")
    for number, (x, y, z) in enumerate(plan.cell_positions_m.tolist()):
        lines.append(f"cell {number} {x!r} {y!r} {z!r}")
    for number, (x, y, z) in enumerate(plan.ue_positions_m.tolist()):
        lines.append(f"ue {number} {x!r} {y!r} {z!r} cell={plan.serving_cell[number]}")
    if plan.ue_tracks_m is not None:
        for number, track in enumerate(plan.ue_tracks_m.tolist()):
            latest_s = 0.0
            for t_s, x, y, z in track:
                if t_s > latest_s:
                    latest_s = t_s
                    lines.append(f"waypoint {number} {t_s!r} {x!r} {y!r} {z!r}")
    for flow in plan.flows:
        traffic = flow.traffic
        common = (
            f"flow {flow.number} ue={flow.ue} direction={flow.direction} port={flow.port} "
            f"fiveqi={traffic.fiveqi} priority={traffic.priority}{bearer_options(traffic)}"
            f"{_harq_options(traffic)}"
        )
        if isinstance(traffic, SemanticTraffic):
            lines.append(
                f"{common} kind=semantic budget_ms={traffic.deadline_s * 1e3!r} discard=1 "
                f"notify={int(has_feedback(traffic))} delivery={traffic.delivery}"
            )
        elif isinstance(traffic, AgentTraffic | FinetuningTraffic | RetrievalTraffic):
            # Messages of agents carry their own deadlines; what has none is never discarded.
            lines.append(f"{common} kind=semantic discard=1 notify={int(traffic.notify)}")
        elif isinstance(traffic, LoadTraffic):
            count = len(plan.ue_positions_m) if traffic.ues == "all" else len(traffic.ues)
            discard = "" if traffic.budget_s is None else " discard=1"
            kind = (
                "tcp"
                if isinstance(traffic, TcpTraffic)
                else f"source source={traffic.ns3_source(count)}"
            )
            lines.append(
                f"{common} kind={kind}{discard} start_s={traffic.start_s!r} "
                f"stop_s={min(traffic.stop_s, scenario.run.duration_s)!r}"
            )
        else:
            lines.append(
                f"{common} kind=cbr rate_bps={traffic.rate_bps!r} "
                f"packet_bytes={traffic.packet_bytes} start_s={traffic.start_s!r} "
                f"stop_s={min(traffic.stop_s, scenario.run.duration_s)!r}"
            )
    for number, curve in sorted((utilities or {}).items()):
        accuracy = ",".join(repr(value) for value in curve.accuracy)
        lines.append(f"semantic {number} message_bytes={curve.message_bytes!r} accuracy={accuracy}")
    return "\n".join(lines) + "\n"


def _handover_defaults(handover: HandoverSection) -> dict[str, object]:
    """Return the attributes of [handover]."""
    controller = "ns3::NrHandoverController::"

    def time(seconds: float) -> str:
        return f"{seconds * 1e9:.0f}ns"

    return {
        controller + "Enabled": str(handover.enabled).lower(),
        controller + "MeasurementPeriod": time(handover.measurement_period_s),
        controller + "PreparationTime": time(handover.preparation_s),
        controller + "InterruptionTime": time(handover.interruption_s),
        controller + "PathSwitchTime": time(handover.path_switch_s),
        "ns3::NrRsrpMeasurement::FilterCoefficient": handover.filter_coefficient,
        "ns3::NrEventA3::Offset": handover.a3_offset_db,
        "ns3::NrEventA3::Hysteresis": handover.hysteresis_db,
        "ns3::NrEventA3::TimeToTrigger": time(handover.time_to_trigger_s),
        "ns3::NrUpf::XnDelay": time(handover.xn_delay_s),
        "ns3::NrRan::DataForwarding": str(handover.forwarding).lower(),
    }


def _harq_options(traffic: Traffic) -> str:
    """Return the flow's options on its number of transmissions, where its kind has any."""
    most = getattr(traffic, "max_harq_tx", None)
    text = "" if most is None else f" max_harq_tx={most}"
    if isinstance(traffic, SemanticTraffic | AgentTraffic) and traffic.less_harq_tx is not None:
        text += f" less_harq_tx={traffic.less_harq_tx}"
    if isinstance(traffic, SemanticTraffic | AgentTraffic):
        if traffic.mcs_backoff:
            text += f" mcs_backoff={traffic.mcs_backoff}"
        if traffic.mcs_backoff or traffic.less_harq_tx is not None:
            text += f" important_from={traffic.important_from!r}"
    return text


def table_payload(table: BlerTable) -> tuple[tuple[int, int, int], bytes]:
    """Return the dimensions [mcs, cbs, snr] and the float32 bytes of a BLER table part."""
    arrays = [table.cbs_bits, table.snr_db, table.bler]
    payload = b"".join(np.ascontiguousarray(a, dtype=np.float32).tobytes() for a in arrays)
    mcs, sizes, snrs = table.bler.shape
    return (mcs, sizes, snrs), payload
