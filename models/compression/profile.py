# SPDX-License-Identifier: MIT
"""Latency and energy of a computation at a device, from a roofline.

S. Williams, A. Waterman, D. Patterson, "Roofline", Communications of the ACM 52(4), 2009: a
computation takes as long as the slower of its arithmetic and its memory traffic. Simulated time
depends on these numbers and never on a clock of the machine that simulates.
"""

import math
from dataclasses import dataclass, fields


class ProfileError(ValueError):
    """An unknown profile, or a number that no device has."""


@dataclass(frozen=True, slots=True)
class DeviceProfile:
    """A device.

    Attributes:
        name: of the profile.
        peak_flops: floating-point operations a second that it reaches in practice.
        memory_bandwidth_bytes_s: memory traffic that it reaches, bytes a second.
        overhead_s: fixed latency of one inference, seconds.
        energy_per_flop_j: joules of one operation.
        energy_per_byte_j: joules of one byte of memory traffic.
        memory_bytes: of memory that training may take.
    """

    name: str
    peak_flops: float
    memory_bandwidth_bytes_s: float
    overhead_s: float
    energy_per_flop_j: float
    energy_per_byte_j: float
    memory_bytes: float = 2.0**30

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            positive = field.name in ("peak_flops", "memory_bandwidth_bytes_s", "memory_bytes")
            if not math.isfinite(value) or value < 0 or (positive and value == 0):
                raise ProfileError(
                    f"profile {self.name}: {field.name} = {value} must be "
                    f"{'above' if positive else 'at least'} 0"
                )

    def latency_s(self, operations: float, memory_bytes: float) -> float:
        """Return the seconds that a computation takes.

        Args:
            operations: floating-point operations.
            memory_bytes: memory traffic.
        """
        arithmetic_s = operations / self.peak_flops
        memory_s = memory_bytes / self.memory_bandwidth_bytes_s
        return max(arithmetic_s, memory_s) + self.overhead_s

    def energy_j(self, operations: float, memory_bytes: float) -> float:
        """Return the joules that a computation takes; arithmetic and memory add up."""
        return operations * self.energy_per_flop_j + memory_bytes * self.energy_per_byte_j


# Energies are of the order of M. Horowitz, "Computing's energy problem", ISSCC 2014: 1.5 pJ for a
# 16-bit multiply and add in 45 nm, tens of pJ for a byte of DRAM; at the system level, with
# control and on-chip movement, several times the arithmetic. Memory for training is an assumption:
# what one application may take of a phone's or gateway's memory, which other programs share.
PROFILES: dict[str, DeviceProfile] = {
    profile.name: profile
    for profile in (
        # Assumption: a phone's CPU cluster or NPU in 16 bits at a tenth of a nominal 2 TFLOP/s,
        # LPDDR5 of 51.2 GB/s nominal (JESD209-5) at a little over half.
        DeviceProfile("phone", 2e11, 3e10, 2e-3, 5e-12, 6e-11, 512e6),
        # Assumption: a Cortex-A class gateway; 4 cores x 1.5 GHz x 8 operations, a third reached,
        # one 32-bit LPDDR4-3200 channel of 12.8 GB/s nominal.
        DeviceProfile("iot", 1.6e10, 6e9, 5e-3, 2e-11, 1e-10, 64e6),
        # Assumption: a server GPU of 65 TFLOP/s in 16 bits and 320 GB/s (NVIDIA T4 data sheet);
        # a third of the arithmetic and two thirds of the bandwidth are reached at batch 1.
        DeviceProfile("edge-server", 2e13, 2e11, 1e-3, 3e-12, 3e-11, 8e9),
        # One thread of a server CPU with AVX-512 BF16, measured on this project's own model: 512
        # rows reach 190 GFLOP/s, a 26-token sentence 100.
        DeviceProfile("cpu-core", 1e11, 1.2e10, 1e-3, 1e-10, 6e-11, 2e9),
    )
}


def get_profile(name: str) -> DeviceProfile:
    """Return the profile of a name.

    Raises:
        ProfileError: no profile has this name.
    """
    if name not in PROFILES:
        raise ProfileError(f"no device profile is named {name!r}; known: {', '.join(PROFILES)}")
    return PROFILES[name]
