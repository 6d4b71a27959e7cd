# SPDX-License-Identifier: MIT
"""Numbers and figures of docs/validation.md: `python scripts/phy_validation.py [--figures DIR]`.

Sections (--only NAME, repeatable): bler, lena, aff3ct, harq, memory, geometry, eesm.
"""

import argparse
import json
import math
from importlib import resources
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent.parent
REFERENCE = HERE / "tests" / "sionna_phy" / "data"
QUANTILES = (0.05, 0.5, 0.95)


def bler(figures: Path | None) -> None:
    """Our table against the points in Sionna's package, in dB at their rate."""
    from sionna_phy.abstraction.tables import load_bler_table

    data = json.loads(
        (resources.files("sionna") / "sys" / "bler_tables" / "PDSCH_table1.json").read_text()
    )["category"]["1"]["index"]["1"]["MCS"]
    own = json.loads((resources.files("sionna_phy") / "data" / "bler_table1.json").read_text())
    fits = {(c["mcs"], c["cbs_bits"]): c["fit"] for c in own["curves"]}
    rows: dict[int, list[float]] = {}
    for mcs, entry in data.items():
        for size, rates in entry["CBS"].items():
            fit = fits.get((int(mcs), int(size)))
            if fit is None:
                continue
            for snr, rate in zip(entry["SNR_db"], rates["BLER"], strict=True):
                if 0.02 <= rate <= 0.98:
                    z = NormalDist().inv_cdf(1 - rate)
                    at = fit["snr_50_db"] + z * fit["width_db"]
                    rows.setdefault(int(size), []).append(at - snr)
    print("| code block | Sionna's points inside the waterfall | mean | RMS | largest |")
    print("|---:|---:|---:|---:|---:|")
    for size, values in sorted(rows.items()):
        v = np.array(values)
        print(
            f"| {size} bits | {len(v)} | {v.mean():+.2f} dB | {np.sqrt((v**2).mean()):.2f} dB | "
            f"{v[np.abs(v).argmax()]:+.2f} dB |"
        )
    blocks = sum(p["blocks"] for c in own["curves"] for p in c["points"])
    worst = max(c["fit"]["std_error_10_db"] for c in own["curves"])
    sizes = sorted({c["cbs_bits"] for c in own["curves"]})
    print(f"{len(own['curves'])} curves, {blocks} blocks, {own['cpu_s']:.0f} s CPU, sizes {sizes}, "
          f"largest standard error {worst:.3f} dB")  # fmt: skip
    if figures:
        plt = _pyplot()
        figure, axes = plt.subplots(figsize=(7, 4))
        ours = load_bler_table("semcosim")
        for number, mcs in enumerate((0, 5, 10, 16, 22, 28)):
            colour = f"C{number}"
            grid = np.arange(-10, 26, 0.05)
            axes.semilogy(grid, ours.lookup(mcs, 1000, grid), colour, label=f"MCS {mcs}")
            if str(mcs) in data:
                axes.semilogy(
                    data[str(mcs)]["SNR_db"], data[str(mcs)]["CBS"]["1000"]["BLER"], "o",
                    color=colour, markersize=4,
                )  # fmt: skip
            curve = next(c for c in own["curves"] if (c["mcs"], c["cbs_bits"]) == (mcs, 1000))
            counted = [(p["snr_db"], p["errors"] / p["blocks"]) for p in curve["points"]
                       if p["errors"]]  # fmt: skip
            axes.semilogy(*zip(*counted, strict=True), "x", color=colour, markersize=4)
        axes.set(ylim=(1e-3, 1.2), xlim=(-9, 23), xlabel="Es/N0 in dB", ylabel="block error rate")
        axes.legend(ncols=2)
        axes.grid(alpha=0.3)
        figure.savefig(figures / "bler.png", dpi=110, bbox_inches="tight")


def lena(figures: Path | None) -> None:
    """5G-LENA's published points, measured with Sionna's code at the same size."""
    from sionna_phy.abstraction.coded_link import CodedLink
    from sionna_phy.abstraction.generate import measure_point
    from sionna_phy.abstraction.mcs import MCS_TABLE_1
    from sionna_phy.abstraction.tables import load_bler_table

    table = load_bler_table("semcosim")
    points = json.loads((REFERENCE / "bler_tables.json").read_text())["5g_lena_eesm"]["points"]
    print("| MCS, code block | SNR | 5G-LENA | our table | Sionna's code, counted | same rate at |")
    print("|---|---:|---:|---:|---:|---:|")
    for point in points:
        mcs, size, snr = point["mcs"], point["cbs"], point["snr_db"]
        link = CodedLink(MCS_TABLE_1[mcs], size)
        found = measure_point(link, mcs, snr, 1, errors=100, blocks=40)
        rates = table.lookup(mcs, size, table.snr_db)
        at = float(np.interp(-math.log10(point["bler"]), -np.log10(rates), table.snr_db))
        print(
            f"| {mcs}, {size} | {snr:g} dB | {point['bler']:.3f} | "
            f"{float(table.lookup(mcs, size, snr)):.2g} | {found.errors} of {found.blocks} | "
            f"{at:.2f} dB ({at - snr:+.2f}) |",
            flush=True,
        )


def aff3ct(figures: Path | None) -> None:
    """Sionna's LDPC code against AFF3CT's, both fitted to counts: where 10 % are lost."""
    import torch

    from sionna_phy.abstraction.coded_link import CodedLink
    from sionna_phy.abstraction.curve_fit import Point, fit_curve
    from sionna_phy.abstraction.mcs import Mcs

    codes = json.loads((REFERENCE / "ldpc_aff3ct.json").read_text())["codes"]
    print("| code, base graph | Eb/N0 | AFF3CT | Sionna's code, counted |")
    print("|---|---:|---:|---:|")
    lines = []
    for code in codes:
        link = CodedLink(
            Mcs(2, 0.5), code["bits"], coded_bits=code["coded_bits"], graph=code["graph"]
        )
        name = f"({code['coded_bits']}, {code['bits']}), {code['graph']}"
        theirs, ours = [], []
        for number, (snr, frames, errors) in enumerate(code["points"]):
            blocks = int(np.clip(400_000 // code["bits"], 40, 2000))
            generator = torch.Generator().manual_seed(number)
            wrong = sum(link.count_errors(snr, n, generator) for n in _batches(blocks))
            theirs.append(Point(snr, frames, errors))
            ours.append(Point(snr, blocks, wrong))
            print(
                f"| {name} | {snr:.2f} dB | {errors / frames:.3f} | {wrong / blocks:.3f} ({wrong} "
                f"of {blocks}) |",
                flush=True,
            )
        fits = [fit_curve(points) for points in (theirs, ours)]
        at = [fit.snr_50_db + fit.width_db * NormalDist().inv_cdf(0.9) for fit in fits]
        deviation = math.hypot(*(fit.std_error_10_db for fit in fits))
        lines.append(
            f"| {name} | {at[0]:.3f} dB | {at[1]:.3f} dB | {at[1] - at[0]:+.3f} dB | "
            f"{deviation:.3f} dB |"
        )
    print("\n| code, base graph | AFF3CT: 10 % at | Sionna: 10 % at | difference | its standard "
          "error |\n|---|---:|---:|---:|---:|")  # fmt: skip
    print("\n".join(lines))


def _batches(blocks: int) -> list[int]:
    """Return sizes that sum up to `blocks`."""
    return [100] * (blocks // 100) + ([blocks % 100] if blocks % 100 else [])


HARQ_PLACES = ((0, 500), (9, 500), (16, 500), (27, 500))
HARQ_VERSIONS = ((0, 0), (0, 2), (0, 2, 3))


def harq(figures: Path | None) -> None:
    """Soft combining: decoded code blocks against what the simulator takes them to be worth."""
    from sionna_phy.abstraction.awgn_link import base_graph
    from sionna_phy.abstraction.combining import combine, equivalent_sinr
    from sionna_phy.abstraction.generate import StoppingRule, generate_curve
    from sionna_phy.abstraction.mcs import MCS_TABLE_1

    own = json.loads((resources.files("sionna_phy") / "data" / "bler_table1.json").read_text())
    fits = {(c["mcs"], c["cbs_bits"]): c["fit"] for c in own["curves"]}
    levels = {c["mcs"]: c["fit"]["snr_50_db"] for c in own["curves"] if c["cbs_bits"] == 1000}
    rule = StoppingRule(errors=30, blocks=60, search_blocks=16)
    print("| MCS, code block | versions | half lost at, predicted | counted | difference |")
    print("|---|---|---:|---:|---:|")
    for mcs, size in HARQ_PLACES:
        scheme = MCS_TABLE_1[mcs]
        alone = 10 ** (fits[mcs, size]["snr_50_db"] / 10)
        for versions in HARQ_VERSIONS:
            # The SNR of each transmission at which all are worth what one needs, by halving.
            low, high = 0.0, alone
            for _ in range(50):
                middle = 0.5 * (low + high)
                both = combine(
                    [middle] * len(versions), versions, scheme.code_rate,
                    base_graph(size - 16, scheme.code_rate),
                )  # fmt: skip
                worth = equivalent_sinr(both, mcs, MCS_TABLE_1, levels)
                low, high = (low, middle) if worth > alone else (middle, high)
            predicted = 10 * math.log10(high)
            counted = generate_curve(mcs, size, 1, rule, 1, versions).fit.snr_50_db
            print(
                f"| {mcs}, {size} bits | {', '.join(map(str, versions))} | {predicted:.2f} dB | "
                f"{counted:.2f} dB | {counted - predicted:+.2f} dB |",
                flush=True,
            )


MEMORY_PLACES = (5, 9, 16)
MEMORY_BLOCKS = 400
WEAKER_DB = 10.0


def memory(figures: Path | None) -> None:
    """Blocks lost once and, after a second, weak transmission, once more: counted against rules."""
    import torch

    from sionna_phy.abstraction.harq_link import HarqLink
    from sionna_phy.abstraction.intervals import wilson
    from sionna_phy.abstraction.mcs import MCS_TABLE_1

    own = json.loads((resources.files("sionna_phy") / "data" / "bler_table1.json").read_text())
    fits = {(c["mcs"], c["cbs_bits"]): c["fit"] for c in own["curves"]}
    print("| MCS, 500 bits | versions | lost by the first | by both together | lost twice, counted "
          "| one draw | a draw each |\n|---|---|---:|---:|---:|---:|---:|")  # fmt: skip
    for mcs in MEMORY_PLACES:
        fit = fits[mcs, 500]
        first_db = fit["snr_50_db"] - 0.8 * fit["width_db"]  # four of five blocks are lost
        noise = [10 ** (-db / 10) for db in (first_db, first_db - WEAKER_DB)]
        for versions in ((0, 0), (0, 2)):
            link = HarqLink(MCS_TABLE_1[mcs], 500, versions)
            generator = torch.Generator().manual_seed(mcs)
            lost = torch.zeros(2, 0, dtype=torch.bool)
            for count in _batches(MEMORY_BLOCKS):
                bits = torch.randint(0, 2, (count, 500), generator=generator).float()
                found = link.send(bits, noise, generator)
                wrong = torch.stack([(guess != bits).any(dim=1) for guess in found])
                lost = torch.cat([lost, wrong], dim=1)
            alone, together = (float(row.float().mean()) for row in lost)
            twice = int(lost.all(dim=0).sum())
            low, high = wilson(twice, MEMORY_BLOCKS)
            print(
                f"| {mcs} | {versions[0]}, {versions[1]} | {alone:.3f} | {together:.3f} | "
                f"{twice / MEMORY_BLOCKS:.3f} ({low:.3f}-{high:.3f}) | "
                f"{min(alone, together):.3f} | {alone * together:.3f} |",
                flush=True,
            )


def geometry(figures: Path | None) -> None:
    """Coupling loss and geometry SINR of 19 sites x 3 sectors."""
    import torch
    from sionna.sys import coupling_loss_db, geometry_sinr_db

    from sionna_phy.channel import ChannelSpec
    from sionna_phy.channel.tr38901 import Tr38901Producer

    plt = _pyplot() if figures else None
    axes = plt.subplots(1, 2, figsize=(8, 3.2)) if plt else None
    print("| model | figure | 5 % | 50 % | 95 % | largest difference to Sionna's function |")
    print("|---|---|---:|---:|---:|---:|")
    for model, distance_m, height_m, power_dbm in (("uma", 500.0, 25.0, 49.0),
                                                   ("umi", 200.0, 10.0, 44.0)):  # fmt: skip
        rng = np.random.default_rng(1)
        sites = _hexagon(distance_m)
        cells = np.repeat(np.column_stack([sites, np.full(19, height_m)]), 3, axis=0)
        turned = np.column_stack(
            [
                np.tile(np.radians([30.0, 150.0, 270.0]), 19),
                np.full(57, np.radians(12.0)),
                np.zeros(57),
            ]
        )
        count = 190
        near = sites[np.arange(count) % 19]
        angle, radius = rng.uniform(0, 2 * np.pi, count), distance_m * 0.57
        reach = np.sqrt(rng.uniform((35 / radius) ** 2, 1, count)) * radius
        ues = np.column_stack(
            [near[:, 0] + reach * np.cos(angle), near[:, 1] + reach * np.sin(angle),
             np.full(count, 1.5)]
        )  # fmt: skip
        producer = Tr38901Producer(
            ChannelSpec(
                model=model, carrier_frequency_hz=6e9, prbs=8,
                subcarrier_spacing_hz=30e3, cell_positions_m=cells, ue_positions_m=ues,
                ue_velocities_m_s=np.zeros((count, 3)), ue_indoor=np.zeros(count, bool),
                serving_cell=np.zeros(count, np.int64), gnb_rows=10, gnb_columns=1,
                gnb_pattern="38.901", cell_orientations_rad=turned, samples_per_block=1, seed=1,
            )
        )  # fmt: skip
        # Coupling loss as in TR 38.901 clause 7.8: path loss, shadowing and the antennas of a port,
        # mean over the band; serving links carry no beamforming gain here (mean over antennas).
        gains = producer.gains(0)[0, :, :, 0].mean(axis=-1)
        gains[0] = gains[0] / 10  # the serving link of everyone was beamformed: 10 elements
        loss = -10 * np.log10(gains.T)  # [ues, cells]
        bandwidth_hz, figure_db = 20e6, 9.0
        noise = 10 ** ((-174 + 10 * math.log10(bandwidth_hz) + figure_db) / 10)
        received = 10 ** ((power_dbm - loss) / 10)
        best = received.argmax(axis=1)
        wanted = received[np.arange(count), best]
        sinr = 10 * np.log10(wanted / (received.sum(axis=1) - wanted + noise))
        theirs_loss = coupling_loss_db(torch.as_tensor(-loss))
        theirs = geometry_sinr_db(theirs_loss, power_dbm, bandwidth_hz, figure_db).numpy()
        serving_loss = loss[np.arange(count), best]
        for name, values, other in (
            ("coupling loss", serving_loss, theirs_loss.numpy()[np.arange(count), best]),
            ("geometry SINR", sinr, theirs),
        ):
            q = np.quantile(values, QUANTILES)
            print(f"| {model} | {name} | " + " | ".join(f"{x:.1f} dB" for x in q)
                  + f" | {np.abs(values - other).max():.1g} dB |")  # fmt: skip
        if axes:
            for axis, values in zip(axes[1], (serving_loss, sinr), strict=True):
                axis.plot(np.sort(values), np.linspace(0, 1, count), label=model.upper())
    if axes and figures:
        axes[1][0].set(xlabel="coupling loss in dB", ylabel="share of UEs")
        axes[1][1].set(xlabel="geometry SINR in dB")
        for axis in axes[1]:
            axis.grid(alpha=0.3)
            axis.legend()
        axes[0].savefig(figures / "geometry.png", dpi=110, bbox_inches="tight")


def eesm(figures: Path | None) -> None:
    """The error of effective SINR mapping, from the shipped fit."""
    path = resources.files("sionna_phy") / "data" / "eesm_table1.json"
    content = json.loads(path.read_text())
    print(f"{content['command']}; {content['channel']}")
    print("| MCS | our beta | error (RMS) | Sionna's beta | error (RMS) | bias |")
    print("|---:|---:|---:|---:|---:|---:|")
    fits = sorted(content["fits"], key=lambda f: f["mcs"])
    for f in fits:
        print(
            f"| {f['mcs']} | {f['beta']:.2f} | {f['rms_error_db']:.2f} dB | "
            f"{f['sionna_beta']:.2f} | {f['sionna_rms_error_db']:.2f} dB | "
            f"{f['sionna_bias_db']:+.2f} dB |"
        )
    _left_out(content)
    if figures:
        plt = _pyplot()
        figure, axes = plt.subplots(figsize=(6, 3))
        x = np.arange(len(fits))
        axes.bar(x - 0.2, [f["rms_error_db"] for f in fits], 0.4, label="our beta")
        axes.bar(x + 0.2, [f["sionna_rms_error_db"] for f in fits], 0.4, label="Sionna's beta")
        axes.set_xticks(x, [f["mcs"] for f in fits])
        axes.set(xlabel="MCS", ylabel="RMS error in dB")
        axes.legend()
        figure.savefig(figures / "eesm.png", dpi=110, bbox_inches="tight")


def _left_out(content: dict[str, Any]) -> None:
    """Say how good the betas of MCS are that were not fitted: each fitted one from the others."""
    from sionna_phy.abstraction.betas import fitted_beta
    from sionna_phy.abstraction.eesm_fit import deviations_db, realisations
    from sionna_phy.abstraction.mcs import MCS_TABLE_1

    fits = {f["mcs"]: f for f in content["fits"]}
    gains = realisations(len(content["fits"][0]["thresholds_db"]), 1)
    print("\nA beta from the line through the other fitted ones of its modulation:\n")
    print("| MCS | beta from the line | error (RMS) | fitted | Sionna's |")
    print("|---:|---:|---:|---:|---:|")
    for mcs, f in sorted(fits.items()):
        others = {m: g["beta"] for m, g in fits.items() if m != mcs}
        beta = fitted_beta(MCS_TABLE_1[mcs], others)
        if beta is None:
            continue
        error = deviations_db(gains, f["thresholds_db"], f["awgn_db"], beta)
        print(
            f"| {mcs} | {beta:.2f} | {np.sqrt(np.mean(error**2)):.2f} dB | "
            f"{f['rms_error_db']:.2f} dB | {f['sionna_rms_error_db']:.2f} dB |"
        )


def _hexagon(distance_m: float) -> Any:
    """Return the places of 19 sites, shape [19, 2]."""
    found = []
    for q in range(-2, 3):
        for r in range(-2, 3):
            if abs(q + r) <= 2:
                found.append((distance_m * (q + r / 2), distance_m * r * math.sqrt(3) / 2))
    return np.array(found)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return plt


SECTIONS = {
    "bler": bler,
    "lena": lena,
    "aff3ct": aff3ct,
    "harq": harq,
    "memory": memory,
    "geometry": geometry,
    "eesm": eesm,
}


def main() -> int:
    """Print the sections, and draw their figures if a folder is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--figures", type=Path)
    parser.add_argument("--only", action="append", choices=SECTIONS)
    options = parser.parse_args()
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
    for name in options.only or SECTIONS:
        print(f"\n## {name}\n")
        SECTIONS[name](options.figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
