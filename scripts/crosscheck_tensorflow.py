# SPDX-License-Identifier: MIT
"""Our block error table against Sionna 1.2.2 on TensorFlow: `make crosscheck-tensorflow`.

    python scripts/crosscheck_tensorflow.py measure --out FILE   (in the environment with Sionna 1)
    python scripts/crosscheck_tensorflow.py compare FILE         (in any)

`measure` sends blocks through another major version of Sionna on another framework, with other
random numbers: LDPC, rate matching, QAM, AWGN, demapper and decoder. It takes from the table where
its curves are to be met (MCS, size, SNRs) and nothing else: modulation, code rate and base graph
come from Sionna 1 and TS 38.212 clause 7.2.2. It imports nothing of this project. `compare` needs
the standard library only.
"""

import argparse
import json
import math
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parent.parent / "sionna_phy" / "data" / "bler_table1.json"
PLACES = (
    (4, 100), (9, 100), (16, 100), (27, 100),
    (4, 1000), (9, 1000), (10, 1000), (16, 1000), (17, 1000), (22, 1000), (28, 1000),
    (20, 3840), (26, 3840),
)  # fmt: skip
"""MCS of table 1 and code-block size; base graph 2 for short blocks and low rates, 1 for others."""
RATES = (0.5, 0.1)
"""Where on our curve the SNRs lie."""
ERRORS, MOST_BITS = 100, 1_000_000
"""A point ends at so many wrong blocks, or information bits."""
ITERATIONS = 20
Z_95 = 1.959963984540054


def curves() -> dict[tuple[int, int], dict[str, Any]]:
    """Return the fits of the shipped table by MCS and size."""
    table = json.loads(TABLE.read_text())
    return {(c["mcs"], c["cbs_bits"]): c["fit"] for c in table["curves"]}


def rate_at(fit: dict[str, Any], snr_db: float) -> float:
    """Return a curve's rate: a Gaussian tail in dB."""
    return 0.5 * math.erfc((snr_db - fit["snr_50_db"]) / fit["width_db"] / math.sqrt(2))


def snr_of(fit: dict[str, Any], rate: float) -> float:
    """Return the SNR at which a curve has a rate, in dB."""
    return float(fit["snr_50_db"] + fit["width_db"] * statistics.NormalDist().inv_cdf(1 - rate))


def wilson(errors: int, blocks: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (Wilson 1927)."""
    share, z2 = errors / blocks, Z_95**2
    centre = (share + z2 / (2 * blocks)) / (1 + z2 / blocks)
    half = Z_95 / (1 + z2 / blocks) * math.sqrt(
        share * (1 - share) / blocks + z2 / (4 * blocks**2)
    )  # fmt: skip
    return max(0.0, centre - half), min(1.0, centre + half)


def base_graph(cbs_bits: int, code_rate: float) -> str:
    """Return the base graph of a transport block that fills a code block (clause 7.2.2)."""
    payload = cbs_bits - 16
    second = payload <= 292 or (payload <= 3824 and code_rate <= 0.67) or code_rate <= 0.25
    return "bg2" if second else "bg1"


def measure(out: Path, places: list[tuple[int, int]], seed: int, most_bits: int) -> None:
    """Count wrong blocks with Sionna 1 and write them; what the file has is kept."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import sionna
    import tensorflow as tf
    from sionna.phy.channel import AWGN
    from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
    from sionna.phy.mapping import BinarySource, Constellation, Demapper, Mapper
    from sionna.phy.nr.utils import decode_mcs_index

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    sionna.phy.config.seed = seed
    points = _done(out, seed)
    have = {(p["mcs"], p["cbs_bits"]) for p in points}
    for mcs, size in places:
        if (mcs, size) in have:
            continue
        order, rate = decode_mcs_index(mcs, table_index=1, is_pusch=False)
        order, rate = int(order), float(rate)
        coded = math.ceil(round(size / rate / order, 9)) * order
        encoder = LDPC5GEncoder(
            size, coded, num_bits_per_symbol=order, bg=base_graph(size, size / coded)
        )
        decoder = LDPC5GDecoder(
            encoder, num_iter=ITERATIONS, cn_update="boxplus-phi", hard_out=True
        )
        constellation = Constellation("qam", order)
        mapper, demapper = (
            Mapper(constellation=constellation),
            Demapper("app", constellation=constellation),
        )
        source, channel = BinarySource(), AWGN()
        batch = max(10, min(250, 50_000 // size))

        @tf.function
        def wrong(noise: Any, bits_size: int = size, count: int = batch) -> Any:
            """Return how many blocks of a batch are wrong."""
            bits = source([count, bits_size])  # noqa: B023 - called in this turn of the loop only
            llr = demapper(channel(mapper(encoder(bits)), noise), noise)  # noqa: B023
            decided = decoder(llr)  # noqa: B023
            return tf.reduce_sum(
                tf.cast(tf.reduce_any(tf.not_equal(decided, bits), axis=-1), tf.int32)
            )

        for target in RATES:
            start = time.process_time()
            snr = round(snr_of(curves()[mcs, size], target), 2)
            noise = tf.constant(10.0 ** (-snr / 10.0), tf.float32)
            blocks = errors = 0
            while errors < ERRORS and blocks * size < most_bits:
                errors += int(wrong(noise))
                blocks += batch
            points.append(
                {"mcs": mcs, "cbs_bits": size, "coded_bits": coded, "snr_db": snr,
                 "graph": encoder._bg, "blocks": blocks, "errors": errors}
            )  # fmt: skip
            seconds = time.process_time() - start
            line = (
                f"MCS {mcs}, {size} bits, {snr:.2f} dB: {errors} of {blocks}, {seconds:.0f} s CPU"
            )
            print(line, file=sys.stderr, flush=True)
            out.write_text(
                json.dumps(
                    {
                        "versions": {"sionna": sionna.__version__, "tensorflow": tf.__version__},
                        "seed": seed,
                        "decoder": f"{ITERATIONS} flooding iterations, boxplus-phi",
                        "points": points,
                    },
                    indent=1,
                )
                + "\n"
            )


def _done(out: Path, seed: int) -> list[dict[str, Any]]:
    """Return the points of places that a file has with all their SNRs."""
    if not out.exists():
        return []
    found = json.loads(out.read_text())
    if found["seed"] != seed:
        raise SystemExit(f"{out} was measured with seed {found['seed']}: name another file")
    counts: dict[tuple[int, int], int] = {}
    for p in found["points"]:
        place = p["mcs"], p["cbs_bits"]
        counts[place] = counts.get(place, 0) + 1
    return [p for p in found["points"] if counts[p["mcs"], p["cbs_bits"]] == len(RATES)]


def compare(file: Path) -> int:
    """Print the comparison, as docs/validation.md has it; return how many points are far off."""
    found = json.loads(file.read_text())
    fits = curves()
    versions = found["versions"]
    print(f"Sionna {versions['sionna']} on TensorFlow {versions['tensorflow']}:\n")
    print("| MCS, code block | SNR | Sionna 1, counted | 95 % interval | our table | difference |")
    print("|---|---:|---:|---:|---:|---:|")
    inside, scores, shifts = 0, [], []
    for p in found["points"]:
        fit = fits[p["mcs"], p["cbs_bits"]]
        ours = rate_at(fit, p["snr_db"])
        low, high = wilson(p["errors"], p["blocks"])
        inside += low <= ours <= high
        # Both sides are counted: binomial there, the fit's standard error in dB here.
        slope = (rate_at(fit, p["snr_db"] - 0.01) - rate_at(fit, p["snr_db"] + 0.01)) / 0.02
        deviation = math.hypot(
            math.sqrt(ours * (1 - ours) / p["blocks"]), slope * fit["std_error_10_db"]
        )
        theirs = p["errors"] / p["blocks"]
        scores.append((theirs - ours) / deviation)
        shift = snr_of(fit, theirs) - p["snr_db"] if 0 < theirs < 1 else math.nan
        shifts.append(-shift)
        print(
            f"| {p['mcs']}, {p['cbs_bits']} bits | {p['snr_db']:.2f} dB | {theirs:.3f} "
            f"({p['errors']} of {p['blocks']}) | {low:.3f} to {high:.3f} | {ours:.3f} | "
            f"{-shift:+.3f} dB, {scores[-1]:+.1f} sd |"
        )
    known = [s for s in shifts if not math.isnan(s)]
    squares = sum(s * s for s in scores)
    print(
        f"\n{inside} of {len(scores)} of our rates lie in the 95 % interval; the sum of squared "
        f"differences over their standard deviations is {squares:.1f} for {len(scores)} points; "
        "mean "
        f"{statistics.fmean(known):+.3f} dB, RMS "
        f"{math.sqrt(statistics.fmean(s * s for s in known)):.3f} dB, largest "
        f"{max(known, key=abs):+.3f} dB (positive: Sionna 1 needs more)."
    )
    return sum(abs(s) > 4 for s in scores)


def main() -> int:
    """Measure or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("measure", help="with Sionna 1 on TensorFlow")
    first.add_argument("--out", type=Path, required=True)
    first.add_argument("--seed", type=int, default=1)
    first.add_argument("--mcs", type=int, nargs="*", help="only these of the built-in places")
    first.add_argument("--most-bits", type=int, default=MOST_BITS, help="of a point")
    second = commands.add_parser("compare", help="with our table; exit 1 beyond 4 deviations")
    second.add_argument("file", type=Path)
    options = parser.parse_args()
    if options.command == "compare":
        return 1 if compare(options.file) else 0
    places = [p for p in PLACES if options.mcs is None or p[0] in options.mcs]
    measure(options.out, places, options.seed, options.most_bits)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
