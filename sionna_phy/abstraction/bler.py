# SPDX-License-Identifier: MIT
"""Block error rate tables over SNR for each MCS and code-block size.

SNR is Es/N0 in AWGN: mean energy of a data symbol over the noise's density. That is how Sionna's
tables are meant (their generator turns each SNR into Eb/N0 with Qm R information bits a symbol, and
back), how the generated part is made, and what an effective SINR of resource elements behind the
combiner is.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
STEP_DB = 0.25
FIRST_DB, LAST_DB = -12.0, 30.0
"""At the first, MCS 0 loses more than 99.99 % of blocks of any size; the shipped points end at
20 dB, where the highest MCS still lose some."""
LAST_MEASURABLE = 1e-4
"""What a 0 right after the last positive point of a table counts as: the points of Sionna's tables
are means over at most some ten thousand blocks. Further zeros count as `NONE`."""
NONE = 1e-9


@dataclass(frozen=True)
class BlerTable:
    """Code-block error rates in AWGN.

    Attributes:
        name: as a scenario names it.
        provenance: where every part of it comes from.
        cbs_bits: code-block sizes in bits, ascending, shape [sizes].
        snr_db: Es/N0 of a data symbol in dB, equal steps, shape [snrs].
        bler: shape [mcs, sizes, snrs]; NaN where nothing was measured.
    """

    name: str
    provenance: str
    cbs_bits: Floats
    snr_db: Floats
    bler: Floats

    @property
    def mcs_available(self) -> npt.NDArray[np.bool_]:
        """Return which MCS indices the table has, shape [mcs]."""
        return np.asarray(~np.isnan(self.bler).any(axis=(1, 2)))

    def lookup(self, mcs: int, cbs_bits: float, snr_db: npt.ArrayLike) -> Doubles:
        """Return code-block error rates, as the simulator looks them up.

        The logarithm of the rate is linear in dB between grid points, the rate linear in the
        logarithm of the size between two sizes; outside, the nearest counts.

        Args:
            mcs: index.
            cbs_bits: code-block size in bits.
            snr_db: any shape.

        Returns:
            Rates, shape of `snr_db`.

        Raises:
            ValueError: the table does not have the MCS.
        """
        if not 0 <= mcs < len(self.bler) or not self.mcs_available[mcs]:
            have = ", ".join(map(str, np.flatnonzero(self.mcs_available)))
            raise ValueError(f"BLER table {self.name!r} has no MCS {mcs}; it has {have}")
        rows = self.bler[mcs].astype(np.float64)
        snr = np.asarray(snr_db, dtype=np.float64)
        sizes = np.log2(self.cbs_bits.astype(np.float64))
        at = float(np.interp(np.log2(cbs_bits), sizes, np.arange(len(sizes))))
        lower = min(int(at), len(sizes) - 1)
        upper = min(lower + 1, len(sizes) - 1)
        low, high = (
            10 ** np.interp(snr, self.snr_db, np.log10(rows[row])) for row in (lower, upper)
        )
        return np.asarray((1 - (at - lower)) * low + (at - lower) * high)

    def snr_at(self, mcs: int, cbs_bits: float, target: float) -> float:
        """Return the SNR in dB at which one of the table's sizes meets a target rate.

        Raises:
            ValueError: the table does not have the size, or never meets the target.
        """
        matches = np.flatnonzero(self.cbs_bits == cbs_bits)
        if len(matches) == 0:
            have = ", ".join(f"{size:g}" for size in self.cbs_bits)
            raise ValueError(f"no code-block size {cbs_bits}; there are {have}")
        row = np.log10(self.bler[mcs, int(matches[0])].astype(np.float64))
        crossings = np.flatnonzero(row <= np.log10(target))
        if len(crossings) == 0:
            raise ValueError(
                f"MCS {mcs} does not reach a rate of {target} below {self.snr_db[-1]} dB"
            )
        below = int(crossings[0])
        if below == 0:
            return float(self.snr_db[0])
        left, right = row[below - 1], row[below]
        part = (left - np.log10(target)) / (left - right)
        return float(self.snr_db[below - 1] + part * (self.snr_db[1] - self.snr_db[0]))


def resample(snr_db: Doubles, bler: Doubles, grid_db: Doubles) -> Doubles:
    """Return rates on another grid, falling, log-linear between the points.

    Outside the points: a step below the first, every block is taken to be lost (a table that begins
    inside a waterfall says nothing about what comes before); above the last, a rate that is not yet
    0 goes on falling with the last slope.

    Args:
        snr_db: of the points, ascending, shape [points].
        bler: measured rates, shape [points].
        grid_db: shape [snrs].
    """
    falling = np.minimum.accumulate(np.clip(bler, 0.0, 1.0))
    zeros = np.flatnonzero(falling <= 0.0)
    filled = np.where(falling > 0.0, falling, NONE)
    if len(zeros):
        smallest = falling[zeros[0] - 1] if zeros[0] > 0 else 1.0
        filled[zeros[0]] = min(LAST_MEASURABLE, smallest)
    before = snr_db[0] - (snr_db[1] - snr_db[0])
    points = np.concatenate([[before], snr_db])
    rates = np.concatenate([[1.0], filled])
    logs = np.log10(rates)
    slope = min(0.0, (logs[-1] - logs[-2]) / (points[-1] - points[-2]))
    beyond = logs[-1] + slope * (grid_db - points[-1])
    inside = np.interp(grid_db, points, logs)
    return np.asarray(np.maximum(10 ** np.where(grid_db > points[-1], beyond, inside), NONE))
