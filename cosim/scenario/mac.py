# SPDX-License-Identifier: MIT
"""The section of the MAC: scheduler, link adaptation, HARQ, power control and RLC."""

import re
from typing import Literal

from cosim.scenario.base import Section, quantity

SCHEDULERS = {
    "pf": "ns3::NrPfScheduler",
    "rr": "ns3::NrRrScheduler",
    "max-ci": "ns3::NrMaxCiScheduler",
    "edf": "ns3::NrEdfScheduler",
    "m-lwdf": "ns3::NrMlwdfScheduler",
    "qos": "ns3::NrQosScheduler",
    "importance-first": "ns3::NrImportanceScheduler",
    "semantic-efficiency": "ns3::NrSemanticScheduler",
    "marginal-utility": "ns3::NrUtilityScheduler",
    "python": "ns3::NrExternalScheduler",
}
"""Scheduler of a scenario → its class in ns-3. Classes of one's own go by their own name."""
OWN_SCHEDULER = re.compile(r"ns3::\w{1,100}")
"""A class of a shared library that `--plugin` names."""


class MacSection(Section):
    """Scheduler, link adaptation, HARQ, power control and RLC."""

    scheduler: str = quantity(
        "pf",
        "rr round robin, pf proportional fair, max-ci best channel first, edf earliest deadline "
        "first, m-lwdf, qos (5QI priority and deadlines), importance-first (PDU-set importance), "
        "semantic-efficiency, marginal-utility (measured accuracy a PRB), python: a plugin's, see "
        "python_scheduler, or the ns-3 class of a library of your own, ns3::Name; "
        "docs/schedulers.md has their formulas",
        source="Jalali et al., VTC 2000 (pf); Andrews et al., 2001 (m-lwdf); Yan et al., arXiv "
        "2201.06023 (semantic-efficiency)",
    )
    ul_scheduler: str | None = quantity(
        None, "scheduler of the uplink; by default the same as scheduler"
    )
    pf_window_slots: float = quantity(
        100.0,
        "time constant of the average rate in pf and all that builds on it",
        unit="slots",
        ge=1.0,
        le=1e6,
    )
    python_scheduler: str | None = quantity(
        None,
        'name given to cosim.schedulers.register_scheduler; with scheduler = "python"',
        min_length=1,
        max_length=64,
    )
    python_action: Literal["prbs", "weights"] = quantity(
        "prbs",
        "what a python scheduler answers: PRBs of each UE in every slot, or weights of the UEs in "
        "a proportional fair scheduler",
    )
    python_period_slots: int = quantity(
        1,
        'slots (of a direction) from one question to the next with python_action = "weights"',
        unit="slots",
        ge=1,
        le=100_000,
    )
    direct_header_backoff: int = quantity(
        2,
        "MCS indices of a block's headers below the chosen one, in blocks that deliver bits or "
        "symbols",
        ge=0,
        le=28,
    )
    utility_samples: int = quantity(
        128,
        "validation samples on which a codec's accuracy over units received is measured for "
        "semantic-efficiency, marginal-utility and python",
        ge=16,
        le=10_000,
    )
    mcs_table: int = quantity(
        1,
        "MCS table: 1 is up to 64QAM, 2 up to 256QAM, 3 has low spectral efficiencies",
        source="TS 38.214 tables 5.1.3.1-1 to -3",
        ge=1,
        le=3,
    )
    max_layers: int = quantity(
        1,
        "spatial layers of a downlink block at most; link adaptation chooses",
        source="TS 38.211 clause 7.3.1.3",
        ge=1,
        le=4,
    )
    ul_max_layers: int = quantity(
        1,
        "spatial layers of an uplink block at most",
        source="TS 38.211 clause 6.3.1.3",
        ge=1,
        le=4,
    )
    bler_table: str = quantity(
        "sionna",
        "block error rates: semcosim (our own points at all MCS and code-block sizes), sionna (the "
        "points of its package, 1.79 dB apart), or a file (.json) written by `cosim phy bler`",
        min_length=1,
        max_length=1000,
    )
    eesm_betas: Literal["sionna", "semcosim"] = quantity(
        "sionna",
        "betas of effective SINR mapping: those of Sionna's package, or our own, fitted with "
        "`cosim phy eesm`",
        source="docs/validation.md, Effective SINR",
    )
    bler_target: float = quantity(
        0.1,
        "block error rate of first transmissions that link adaptation aims at",
        source="TS 38.214 clause 5.2.2.1",
        ge=1e-6,
        le=0.9,
    )
    olla: bool = quantity(
        True, "outer-loop link adaptation: corrects the SINR from acknowledgements"
    )
    olla_step_db: float = quantity(
        0.5,
        "outer loop's step down at a lost block; the step up is olla_step_db x bler_target / "
        "(1 - bler_target)",
        unit="dB",
        ge=0.001,
        le=10.0,
    )
    olla_limit_db: float = quantity(
        10.0, "the outer loop corrects by this much at most", unit="dB", gt=0.0, le=40.0
    )
    harq_combining: Literal["incremental", "chase"] = quantity(
        "incremental",
        "retransmissions carry new coded bits (redundancy versions 0, 2, 3, 1), or the same",
        source="TS 38.212 clause 5.4.2.1, Caire and Tuninetti 2001",
    )
    max_harq_tx: int = quantity(
        4, "transmissions of a transport block at most, the first included", ge=1, le=16
    )
    harq_processes: int = quantity(
        16, "HARQ processes of a UE and direction", source="TS 38.214 clause 5.1", ge=1, le=32
    )
    k1_slots: int = quantity(
        4,
        "slots from downlink data to its acknowledgement, at least",
        unit="slots",
        source="TS 38.213 clause 9.2.3",
        ge=1,
        le=15,
    )
    cqi_period_slots: int = quantity(
        10,
        "period of channel quality reports",
        unit="slots",
        source="TS 38.214 clause 5.2.1.4",
        ge=1,
        le=640,
    )
    cqi_delay_slots: int = quantity(
        4, "age of a report when the scheduler first uses it", unit="slots", ge=0, le=640
    )
    ul_grant_delay_slots: int = quantity(
        8,
        "slots from a scheduling request to the grant (k2 included)",
        unit="slots",
        source="TS 38.214 table 6.1.2.1.1-2",
        ge=0,
        le=640,
    )
    sr_period_slots: int = quantity(
        1,
        "slots between a UE's occasions for a scheduling request",
        unit="slots",
        source="TS 38.331 SchedulingRequestResourceConfig",
        ge=1,
        le=640,
    )
    sr_grant_bytes: int = quantity(
        0,
        "what the gNB grants upon a request before it has a buffer status report; 0: all that is "
        "in the buffer",
        unit="bytes",
        ge=0,
        le=1_000_000,
    )
    bsr_delay_slots: int = quantity(
        0,
        "slots from a decoded buffer status report to its use",
        unit="slots",
        source="TS 38.321 clause 5.4.5",
        ge=0,
        le=640,
    )
    configured_grant_period_slots: int = quantity(
        0,
        "slots between the uplink grants that a UE has without asking; 0: none",
        unit="slots",
        source="TS 38.321 clause 5.8.2",
        ge=0,
        le=10_240,
    )
    configured_grant_bytes: int = quantity(
        128,
        "size of a configured grant; its PRBs stay idle if the UE has nothing",
        unit="bytes",
        ge=16,
        le=100_000,
    )
    rlc_reassembly_s: float = quantity(
        0.035,
        "how long a partly received packet waits for its missing segments",
        unit="s",
        source="t-Reassembly, TS 38.322 clause 7.3; default of TS 38.331 is the operator's",
        gt=0.0,
        le=10.0,
    )
    rlc_poll_retransmit_s: float = quantity(
        0.045,
        "how long acknowledged mode waits for a status report that it asked for",
        unit="s",
        source="t-PollRetransmit, TS 38.322 clause 7.3",
        gt=0.0,
        le=4.0,
    )
    rlc_status_prohibit_s: float = quantity(
        0.01,
        "least time between two status reports of a flow",
        unit="s",
        source="t-StatusProhibit, TS 38.322 clause 7.3",
        ge=0.0,
        le=2.4,
    )
    rlc_max_retx: int = quantity(
        8,
        "how often acknowledged mode sends a packet again before it gives it up",
        source="maxRetxThreshold, TS 38.331: 1 to 32",
        ge=1,
        le=32,
    )
    rlc_poll_pdu: int = quantity(
        64,
        "PDUs after which acknowledged mode asks for a status report, 0 for any number",
        source="pollPDU, TS 38.331",
        ge=0,
        le=65_536,
    )
    rlc_poll_bytes: int = quantity(
        125_000,
        "bytes after which acknowledged mode asks for a status report, 0 for any number",
        unit="bytes",
        source="pollByte, TS 38.331",
        ge=0,
        le=40_000_000,
    )
    max_interferers: int = quantity(
        0,
        "other cells that a receiver counts PRB by PRB, the strongest; what the rest adds is noise "
        "at its average; 0 for all",
        ge=0,
        le=1000,
    )
    queue_limit_bytes: int = quantity(
        1_000_000,
        "RLC queue of a flow; what does not fit is dropped",
        unit="bytes",
        ge=100,
        le=2**32 - 1,
    )
    queue_drop: Literal["tail", "importance"] = quantity(
        "tail",
        "which packet is dropped when a flow's RLC queue is full: the one that comes, or waiting "
        "ones of less PDU-set importance, the least important first",
        source="PDU set importance, TS 23.501 clause 5.37.5",
    )
    ul_p0_dbm: float = quantity(
        -80.0,
        "received power per PRB that uplink power control aims at",
        unit="dBm",
        source="TS 38.213 clause 7.1.1",
        ge=-202.0,
        le=24.0,
    )
    ul_alpha: float = quantity(
        0.8,
        "share of the path loss that uplink power control compensates: 0, 0.4, 0.5, ... 0.9 or 1",
        source="TS 38.213 clause 7.1.1, TS 38.331 Alpha",
        ge=0.0,
        le=1.0,
    )
