# SPDX-License-Identifier: MIT
"""EESM betas by our own fit, and how well the mapping predicts on frequency-selective channels.

For each MCS, code blocks are sent over realisations of a tapped delay line. Each realisation has
its own mean SNR at which half of the blocks are lost, found by Monte Carlo. Were the mapping
perfect, the effective SINR there would be the SNR at which half of them are lost in AWGN, the same
for all realisations. Beta is the value that makes the deviations' mean square smallest; what is
left of them is the mapping's error in dB, stored beside it. The same is done with Sionna's beta.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.abstraction.coded_link import CodedLink
from sionna_phy.abstraction.curve_fit import Point, fit_curve
from sionna_phy.abstraction.eesm import eesm_beta, effective_sinr_eesm
from sionna_phy.abstraction.mcs import MCS_TABLES
from sionna_phy.abstraction.tables import load_bler_table

Doubles = npt.NDArray[np.float64]
FORMAT = "semcosim-eesm-1"
PRBS = 10
SPACING = 5
"""Ten PRBs, every fifth of 50: a small code block then sees all of a 20 MHz channel."""
DELAY_SPREADS_S = (100e-9, 300e-9, 1000e-9)
"""Nominal, long and very long of TR 38.901 table 7.7.3-1 (100, 300 and 1000 ns)."""
STEP_DB = 0.5
BETAS = np.geomspace(0.5, 100.0, 400)


@dataclass(frozen=True)
class BetaFit:
    """The mapping's fit for one MCS.

    Attributes:
        mcs: index.
        cbs_bits: code-block size.
        awgn_db: SNR at which half of the blocks are lost in AWGN, in dB.
        thresholds_db: mean SNR at which half of them are lost, each realisation, in dB.
        beta: fitted.
        rms_error_db: of effective SINR less `awgn_db` over realisations, with `beta`.
        bias_db: their mean.
        sionna_beta: of Sionna's package, None if it has none.
        sionna_rms_error_db: with that.
        sionna_bias_db: with that.
    """

    mcs: int
    cbs_bits: int
    awgn_db: float
    thresholds_db: tuple[float, ...]
    beta: float
    rms_error_db: float
    bias_db: float
    sionna_beta: float | None
    sionna_rms_error_db: float | None
    sionna_bias_db: float | None


def realisations(count: int, seed: int) -> Doubles:
    """Return power gains of tapped delay lines TDL-C, mean over PRBs 1, shape [count, PRBS]."""
    from sionna_phy.channel import ChannelSpec, make_producer

    drawn = []
    shares = [len(range(n, count, len(DELAY_SPREADS_S))) for n in range(len(DELAY_SPREADS_S))]
    for share, spread_s in zip(shares, DELAY_SPREADS_S, strict=True):
        if share == 0:
            continue
        spec = ChannelSpec(
            model="tdl-c",
            carrier_frequency_hz=3.5e9,
            prbs=PRBS * SPACING,
            subcarrier_spacing_hz=30e3,
            cell_positions_m=np.zeros((1, 3)),
            ue_positions_m=np.ones((share, 3)),
            ue_velocities_m_s=np.zeros((share, 3)),
            ue_indoor=np.zeros(share, dtype=bool),
            serving_cell=np.zeros(share, dtype=np.int64),
            gain_db=0.0,
            delay_spread_s=spread_s,
            samples_per_block=1,
            seed=seed,
        )
        drawn.append(make_producer(spec).gains(0)[0, 0, :, 0, SPACING // 2 :: SPACING])
    gains = np.concatenate(drawn).astype(np.float64)
    return np.asarray(gains / gains.mean(axis=1, keepdims=True))


def threshold_db(
    link: CodedLink, gains: Doubles, start_db: float, *, blocks: int, seed: int
) -> float:
    """Return the mean SNR in dB at which half of the blocks are lost over one realisation.

    Steps of half a decibel until points on both sides of the waterfall are known, then two more
    inside it; the fit of all points counts.

    Args:
        link: of the MCS and code-block size.
        gains: of the PRBs, mean 1, shape [PRBs].
        start_db: where to begin.
        blocks: of a point.
        seed: of bits and noise.
    """
    import torch

    symbols = link.coded_bits // link.mcs.bits_per_symbol
    prb = np.resize(np.repeat(np.arange(len(gains)), 12), symbols)
    generator = torch.Generator().manual_seed(seed)
    points: dict[float, Point] = {}

    def measure(snr_db: float) -> Point:
        noise = torch.as_tensor(1.0 / (10 ** (snr_db / 10) * gains[prb]), dtype=torch.float32)
        bits = torch.randint(0, 2, (blocks, link.cbs_bits), generator=generator).float()
        wrong = int((link.send(bits, noise, generator) != bits).any(dim=1).sum())
        points[snr_db] = Point(snr_db, blocks, wrong)
        return points[snr_db]

    at = round(start_db / STEP_DB) * STEP_DB
    step = STEP_DB if measure(at).errors > blocks / 2 else -STEP_DB
    while (points[at].errors > blocks / 2) == (step > 0):
        at += step
        if at not in points:
            measure(at)
    low = at - STEP_DB if step > 0 else at
    for part in (0.35, 0.65):
        measure(low + part * STEP_DB)
    if not any(0 < p.errors < p.blocks for p in points.values()):
        order = sorted(points.values(), key=lambda p: p.snr_db)
        last = max(p.snr_db for p in order if p.errors)
        first = min(p.snr_db for p in order if not p.errors)
        return 0.5 * (last + first)
    return fit_curve(list(points.values())).snr_50_db


def fit_beta(gains: Doubles, thresholds_db: Sequence[float], awgn_db: float) -> float:
    """Return the beta with the smallest mean square deviation.

    Args:
        gains: shape [realisations, PRBs].
        thresholds_db: of each realisation.
        awgn_db: what the effective SINR there should be.
    """
    errors = [
        float(np.mean(np.square(deviations_db(gains, thresholds_db, awgn_db, b)))) for b in BETAS
    ]
    return float(BETAS[int(np.argmin(errors))])


def deviations_db(
    gains: Doubles, thresholds_db: Sequence[float], awgn_db: float, beta: float
) -> Doubles:
    """Return effective SINR at each realisation's threshold less the one in AWGN, in dB."""
    effective = [
        effective_sinr_eesm(10 ** (snr / 10) * row, beta)
        for row, snr in zip(gains, thresholds_db, strict=True)
    ]
    return np.asarray(10 * np.log10(effective) - awgn_db)


def calibrate(
    mcs: Sequence[int],
    *,
    mcs_table: int = 1,
    cbs_bits: int = 1000,
    channels: int = 12,
    blocks: int = 40,
    seed: int = 1,
    report: Callable[[str], None] = lambda _: None,
) -> list[BetaFit]:
    """Return the fits of some MCS.

    Args:
        mcs: indices.
        mcs_table: number of the MCS table.
        cbs_bits: code-block size; the shipped table has it.
        channels: realisations.
        blocks: of a point.
        seed: of channels, bits and noise.
        report: is told of every MCS.
    """
    table = load_bler_table("semcosim", mcs_table)
    gains = realisations(channels, seed)
    known = eesm_beta(mcs_table) if mcs_table in (1, 2) else None
    fits = []
    for index in mcs:
        link = CodedLink(MCS_TABLES[mcs_table][index], cbs_bits)
        awgn_db = table.snr_at(index, cbs_bits, 0.5)
        guess = float(known[index]) if known is not None else 2.0
        thresholds = []
        for number, row in enumerate(gains):
            # Where the guessed beta would put it: a shift in mean SNR moves the effective one too.
            shift = awgn_db - 10 * np.log10(effective_sinr_eesm(10 ** (awgn_db / 10) * row, guess))
            thresholds.append(
                threshold_db(
                    link, row, awgn_db + shift, blocks=blocks, seed=seed + 1000 * index + number
                )
            )
        beta = fit_beta(gains, thresholds, awgn_db)
        ours = deviations_db(gains, thresholds, awgn_db, beta)
        theirs = deviations_db(gains, thresholds, awgn_db, guess)
        fits.append(
            BetaFit(
                mcs=index,
                cbs_bits=cbs_bits,
                awgn_db=awgn_db,
                thresholds_db=tuple(round(t, 3) for t in thresholds),
                beta=round(beta, 3),
                rms_error_db=float(np.sqrt(np.mean(ours**2))),
                bias_db=float(np.mean(ours)),
                sionna_beta=guess if known is not None else None,
                sionna_rms_error_db=float(np.sqrt(np.mean(theirs**2)))
                if known is not None
                else None,
                sionna_bias_db=float(np.mean(theirs)) if known is not None else None,
            )
        )
        report(
            f"MCS {index}: beta {beta:.2f}, error {fits[-1].rms_error_db:.2f} dB; Sionna's "
            f"{guess:.2f}, {np.sqrt(np.mean(theirs**2)):.2f} dB"
        )
    return fits


def write_fits(path: Path, fits: Sequence[BetaFit], *, command: str, mcs_table: int) -> None:
    """Write the fits as JSON."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "command": command,
        "mcs_table": mcs_table,
        "channel": f"TDL-C, delay spreads {', '.join(f'{s * 1e9:g}' for s in DELAY_SPREADS_S)} ns",
        "versions": {name: metadata.version(name) for name in ("sionna", "torch")},
        "fits": [asdict(fit) for fit in fits],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
