# SPDX-License-Identifier: MIT
"""[[traffic]] of kind "finetuning": federated split fine-tuning over the simulated network."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from cosim.scenario.base import quantity
from cosim.scenario.bearer import BearerSection
from cosim.scenario.run import MAX_DURATION_S
from cosim.scenario.traffic import _priority
from cosim.scenario.ue_selection import UeSelection

_Off = Annotated[tuple[int, float], Field(strict=False)]


class FinetuningTraffic(BearerSection):
    """UEs and the edge server train a model's low-rank changes together; all bytes are packets."""

    direction: ClassVar[Literal["both"]] = "both"
    notify: ClassVar[bool] = True

    kind: Literal["finetuning"] = quantity(..., "finetuning: federated split fine-tuning")
    task: str = quantity(..., "the task whose training samples are used", max_length=64)
    design: Literal["splitfed-v1", "splitfed-v2", "splitlora", "federated", "centralised"] = (
        quantity(
            "splitfed-v1",
            "who trains what: a server copy a client; one server model, clients in turn; one "
            "server model, one joint step; all at the device; all at the edge",
            source="arXiv 2004.12088, 2407.00952",
        )
    )
    aggregator: Literal["fedavg", "exact", "stack", "async", "clustered"] = quantity(
        "fedavg", "how results become global values"
    )
    selection: Literal["all", "random", "channel", "deadline"] = quantity(
        "all", "which clients take part in a round", source="FedCS, ICC 2019"
    )
    participants: int | None = quantity(
        None, "clients of a round at most; by default all", ge=1, le=65_519
    )
    rounds: int = quantity(10, "rounds", ge=1, le=10_000)
    local_steps: int = quantity(2, "optimiser steps of a client in a round", ge=1, le=10_000)
    batch: int = quantity(8, "samples a step", ge=1, le=512)
    learning_rate: float = quantity(1e-2, "of Adam, whose state begins anew in a round", gt=0, le=1)
    samples_per_client: int = quantity(64, "training samples of a client", ge=1, le=100_000)
    alpha: float = quantity(
        1.0,
        "label shares of a client are drawn from Dir(alpha · p); large: all alike",
        source="arXiv 1909.06335",
        gt=0,
        le=1e6,
    )
    max_tokens: int = quantity(24, "tokens of a sample that are used", ge=1, le=255)
    first_layer: int = quantity(3, "first layer with low-rank changes", ge=0, le=29)
    cut_layer: int = quantity(4, "layers at the device", ge=1, le=30)
    last_layer: int = quantity(6, "layers at device and edge together", ge=1, le=30)
    rank: int = quantity(4, "of the low-rank changes", ge=1, le=256)
    ranks: Annotated[tuple[int, ...] | None, Field(strict=False)] = quantity(
        None, "rank of each client, in ascending order of UE numbers; by default all have `rank`"
    )
    adapt_rank: bool = quantity(
        False,
        "halve a client's rank for each factor of two by which its measured uplink rate is below "
        "the median, and until what it trains fits into its memory",
    )
    cut_layers: Annotated[tuple[int, ...] | None, Field(strict=False)] = quantity(
        None,
        "layers at the device of each client, in ascending order of UE numbers; by default "
        "`cut_layer`",
    )
    adapt_cut: bool = quantity(
        False,
        "give each client as many layers as fit into its memory and, by its measured uplink rate "
        "and last round, into 0.8 of round_deadline_s; one fewer after a round that it missed",
    )
    memory_mb: Annotated[tuple[float, ...] | None, Field(strict=False)] = quantity(
        None,
        "memory for training of each client, in ascending order of UE numbers, for adapt_cut and "
        "adapt_rank; by default that of the device profile",
        unit="MB",
    )
    labels_at: Literal["edge", "device"] = quantity(
        "edge", "labels go along, or stay at the device with the head (U-shape)"
    )
    compression: str = quantity(
        "int8", "of activations and gradients: [topS-|dropS-]TYPE[-zstd]", max_length=64
    )
    keep_tokens: float = quantity(
        1.0, "share of each sequence's tokens that are sent, the most important", gt=0, le=1
    )
    error_feedback: bool = quantity(
        False, "add what compression took from a sample to the same sample's next activations"
    )
    weight_type: Literal["float32", "bfloat16"] = quantity(
        "float32", "number type of weights on the air"
    )
    transport: Literal["reliable", "lossy"] = quantity(
        "reliable", "lossy: activations and gradients are sent once; weights always arrive"
    )
    round_deadline_s: float | None = quantity(
        None, "a client that is not done by then is late", unit="s", gt=0, le=MAX_DURATION_S
    )
    late: Literal["drop", "use"] = quantity(
        "drop", "what a late client did is lost, or used in the round in which it arrives"
    )
    absent_after_s: float = quantity(
        20.0,
        "a client that is waited for and sends nothing for so long, up to twice, is given up until "
        "something of it is heard",
        unit="s",
        gt=0,
        le=MAX_DURATION_S,
    )
    switched_off: Annotated[tuple[_Off, ...], Field(strict=False)] = quantity(
        (),
        "(UE, second) from which a client neither hears nor says anything: a node that is killed",
    )
    start_s: float = quantity(0.0, "start of the first round", unit="s", ge=0, le=MAX_DURATION_S)
    evaluate_samples: int = quantity(96, "test samples of the accuracy in `rounds`", ge=0, le=10**6)
    evaluate_every: int = quantity(1, "rounds between two evaluations", ge=1, le=10_000)
    stop_when_done: bool = quantity(False, "end the run a second after the last round")
    window_bytes: int = quantity(
        150_000, "bytes of a message under way at most", unit="bytes", ge=1200, le=2**30
    )
    max_packet_bytes: int = quantity(
        1200, "UDP payload of a packet at most", unit="bytes", ge=128, le=65_507
    )
    ues: UeSelection = quantity("all", 'which UEs: "all" or a list of numbers from 0')
    fiveqi: int = quantity(
        9,
        "5QI of the flows; 9 is the default bearer's",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=254,
    )
    priority: int = quantity(
        text="priority level, 1 comes first; by default the standard's for the 5QI",
        source="TS 23.501 table 5.7.4-1",
        ge=1,
        le=127,
        default_factory=_priority,
    )
