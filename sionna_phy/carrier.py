# SPDX-License-Identifier: MIT
"""Carriers of the standard: bandwidths, PRBs, slots, thermal noise."""

import math

N_RB: dict[int, dict[int, dict[int, int]]] = {
    1: {
        0: {3: 15, 5: 25, 10: 52, 15: 79, 20: 106, 25: 133, 30: 160, 35: 188, 40: 216, 45: 242,
            50: 270},
        1: {5: 11, 10: 24, 15: 38, 20: 51, 25: 65, 30: 78, 35: 92, 40: 106, 45: 119, 50: 133,
            60: 162, 70: 189, 80: 217, 90: 245, 100: 273},
        2: {10: 11, 15: 18, 20: 24, 25: 31, 30: 38, 35: 44, 40: 51, 45: 58, 50: 65, 60: 79,
            70: 93, 80: 107, 90: 121, 100: 135},
    },
    2: {
        2: {50: 66, 100: 132, 200: 264},
        3: {50: 32, 100: 66, 200: 132, 400: 264},
        5: {400: 66, 800: 124, 1600: 248},
        6: {400: 33, 800: 62, 1600: 124, 2000: 148},
    },
}  # fmt: skip
"""Frequency range → numerology → channel bandwidth in MHz → PRBs: TS 38.101-1 and TS 38.101-2,
tables 5.3.2-1."""

BOLTZMANN_J_PER_K = 1.380649e-23
TEMPERATURE_K = 290.0


def prb_count(bandwidth_mhz: int, numerology: int, fr: int) -> int:
    """Return the number of PRBs of a carrier.

    Args:
        bandwidth_mhz: channel bandwidth in MHz.
        numerology: subcarrier spacing is 15 kHz x 2^numerology.
        fr: frequency range, 1 or 2.

    Raises:
        ValueError: the standard has no such carrier; the text says what it has.
    """
    if fr not in N_RB:
        raise ValueError(f"there is no frequency range {fr}; there are 1 (FR1) and 2 (FR2)")
    sizes = N_RB[fr].get(numerology)
    if sizes is None:
        known = ", ".join(str(n) for n in N_RB[fr])
        raise ValueError(f"numerology {numerology} is not used for data in FR{fr}; it has {known}")
    if bandwidth_mhz not in sizes:
        known = ", ".join(str(b) for b in sizes)
        raise ValueError(
            f"no {bandwidth_mhz} MHz channel at numerology {numerology} in FR{fr}; "
            f"there are {known} MHz"
        )
    return sizes[bandwidth_mhz]


def slot_duration_s(numerology: int) -> float:
    """Return the duration of a slot in seconds (TS 38.211 clause 4.3.2)."""
    return 1e-3 / float(2**numerology)


def noise_power_dbm(bandwidth_hz: float, noise_figure_db: float) -> float:
    """Return a receiver's noise power at 290 K in dBm.

    Args:
        bandwidth_hz: for example 12 subcarriers for the noise of a PRB.
        noise_figure_db: of the receiver.
    """
    return 10 * math.log10(BOLTZMANN_J_PER_K * TEMPERATURE_K * bandwidth_hz * 1e3) + noise_figure_db
