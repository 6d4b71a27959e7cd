# SPDX-License-Identifier: MIT
"""How many layers a device can train: what fits into its memory, and what fits into a round.

The residual stream is as wide at every layer, so activations and gradients cost the same air
wherever the model is cut. What a layer more at the device costs is memory, the device's time, and
the air of that layer's low-rank change, down and up again; what it saves is the edge server's work.
"""

from dataclasses import dataclass, replace

from models.compression import DeviceProfile
from models.federated.split import SplitModel

KEPT_VALUES = 16
"""Values, in widths of the residual stream, that a layer keeps of a token for the way back: the
inputs of both normalisations and what they make of it (4), query, key and value (1 2/3 with a
third of the heads for keys and values), the mixed values (1), gate, activated gate and up (2 2/3
each): 14 2/3, and something for what else there is. An estimate: scores of attention are left out,
and how much is kept is up to who writes the program."""

_COPIES = 4
"""A trained value, its gradient and Adam's two moments, float32."""

SHARE = 0.8
"""Of the deadline that a round may be predicted to take: channels fade."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What a number of layers at a device costs it.

    Attributes:
        model: any cut of it.
        profile: the device.
        rank: of its low-rank changes.
        tokens: of a step's batch at most.
        steps: of a round.
        bytes_per_weight: of weights on the air.
    """

    model: SplitModel
    profile: DeviceProfile
    rank: int
    tokens: int
    steps: int
    bytes_per_weight: int

    @property
    def lowest(self) -> int:
        """Return the fewest layers with which a device has something to train."""
        return self.model.spec.first + 1

    def adapter_values(self, cut: int) -> int:
        """Return |LoRA|: values that a device trains and exchanges."""
        backbone = self.model.backbone
        layers = cut - self.model.spec.first
        return layers * self.rank * (backbone.geometry.hidden + backbone.joint_rows)

    def memory_bytes(self, cut: int) -> int:
        """Return what training takes: frozen weights, low-rank changes, kept activations.

        Token embeddings are left out: a batch reads a few rows of the file.
        """
        geometry = self.model.backbone.geometry
        frozen = cut * geometry.parameters_per_layer * geometry.bytes_per_weight
        kept = (cut - self.model.spec.first) * self.tokens * KEPT_VALUES * geometry.hidden * 4
        return frozen + 4 * _COPIES * self.adapter_values(cut) + kept

    def highest_rank(self, cut: int, memory_bytes: float) -> int:
        """Return `rank`, halved until a number of layers fits into memory, 1 at least."""
        rank = self.rank
        while rank > 1 and replace(self, rank=rank).memory_bytes(cut) > memory_bytes:
            rank //= 2
        return rank

    def device_s(self, cut: int) -> float:
        """Return the seconds that a round's steps take at the device."""
        first = self.model.spec.first
        there = self.model.cost(self.tokens, 0, cut, backward=False)
        back = self.model.cost(self.tokens, first, cut, backward=False)
        return self.steps * (self.profile.latency_s(*there) + self.profile.latency_s(*back))

    def deepest(self, memory_bytes: float) -> int:
        """Return the most layers that fit into memory.

        Raises:
            ValueError: not even the fewest do.
        """
        fit = [
            cut
            for cut in range(self.lowest, self.model.spec.last + 1)
            if self.memory_bytes(cut) <= memory_bytes
        ]
        if not fit:
            raise ValueError(
                f"{self.lowest} layers with {self.tokens} tokens a step need "
                f"{self.memory_bytes(self.lowest) / 1e6:.0f} MB at the device, which has "
                f"{memory_bytes / 1e6:.0f}"
            )
        return max(fit)

    def choose(
        self, *, cut: int, took_s: float, rate_bps: float, deadline_s: float, deepest: int
    ) -> int:
        """Return the most layers with which a round should still be done in time.

        What a round with another cut would take is what the last one took, changed by the device's
        work and by the low-rank changes' air in both directions at the uplink's rate.

        Args:
            cut: of the client's last round.
            took_s: how long that took.
            rate_bps: measured uplink rate.
            deadline_s: of a round; `SHARE` of it is used.
            deepest: what fits into memory.
        """

        def predicted_s(other: int) -> float:
            values = self.adapter_values(other) - self.adapter_values(cut)
            air_s = 2 * 8 * self.bytes_per_weight * values / max(rate_bps, 1.0)
            return took_s + self.device_s(other) - self.device_s(cut) + air_s

        good = [
            other
            for other in range(self.lowest, deepest + 1)
            if predicted_s(other) <= SHARE * deadline_s
        ]
        return max(good, default=self.lowest)
