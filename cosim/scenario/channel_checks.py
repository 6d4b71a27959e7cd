# SPDX-License-Identifier: MIT
"""Checks of the channel against carrier, UEs and memory."""

from collections.abc import Iterator

from cosim.scenario.errors import Problem, show
from cosim.scenario.model import Scenario

MAX_CHANNEL_BYTES = 2**30  # of channel blocks in shared memory
SPEED_OF_LIGHT_M_S = 299_792_458.0


def channel_problems(scenario: Scenario) -> Iterator[Problem]:
    """Yield what is wrong with samples, memory and the model's own needs."""
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
