# SPDX-License-Identifier: MIT
"""The cell in ns-3 against Sionna's system-level modules on one recorded channel.

    python scripts/sys_comparison.py --figure docs/images/ran/sionna_sys.png

One cell with full buffers downlink, proportional fair, outer-loop link adaptation, one transmission
a block. The same fading goes into a recorded channel for ns-3 and into a loop over slots of
`sionna.sys.PFSchedulerSUMIMO`, `OuterLoopLinkAdaptation` and `PHYAbstraction`. The fading is flat
over the carrier, because the two schedulers differ in frequency: Sionna's chooses PRB by PRB, ours
user by user.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cosim.engine import run_scenario
from cosim.scenario import load_scenario
from cosim.traces import read_trace

Floats = npt.NDArray[np.float64]
ROOT = Path(__file__).parents[1]
PRBS, SLOT_S, BLOCK_S, SAMPLES = 51, 0.5e-3, 0.1, 20
RE_A_PRB = 144
"""Data elements of a downlink slot: 13 symbols beside one of PDCCH, less 12 of DM-RS."""
PRB_DBM = 33.0 - 10 * np.log10(PRBS)
NOISE_DBM = 10 * np.log10(1.380649e-23 * 290.0 * 360e3 * 1e3) + 9.0
WINDOW_SLOTS, STEP_DB, TARGET = 100, 0.5, 0.1
DOPPLER_HZ = 3.0
RICE_K = 10**0.9
WARM_UP_S = 0.5
"""What both leave out of the mean: averages and outer loops have settled by then."""


def fading_snr(ues: int, duration_s: float, seed: int) -> Floats:
    """Return the SNR (linear) of Ricean fading round means from 5 to 22 dB.

    With K = 9 dB, the mean of TR 38.901 table 7.5-6 for UMi with line of sight. Deep fades are left
    out on purpose: Sionna's block error tables begin at MCS 3, so below -3 dB its lowest MCS fails
    for ever, the user's average goes to nothing, and proportional fair gives it every slot.

    Returns:
        Shape [samples, ues], a sample every BLOCK_S / SAMPLES seconds; autocorrelation of an
        autoregression whose first lag is Jakes' J0(2 pi fd tau).
    """
    from scipy.special import j0

    rng = np.random.default_rng(seed)
    samples = round(duration_s / BLOCK_S) * SAMPLES
    rho = float(j0(2 * np.pi * DOPPLER_HZ * BLOCK_S / SAMPLES))
    noise = rng.standard_normal((samples, ues, 2)) / np.sqrt(2)
    field = np.empty_like(noise)
    field[0] = noise[0]
    for n in range(1, samples):
        field[n] = rho * field[n - 1] + np.sqrt(1 - rho**2) * noise[n]
    field *= np.sqrt(1 / (1 + RICE_K))
    field[:, :, 0] += np.sqrt(RICE_K / (1 + RICE_K))
    mean = 10 ** (np.linspace(5.0, 22.0, ues) / 10)
    return mean * np.sum(field**2, axis=2)


def run_ns3(snr: Floats, folder: Path) -> tuple[Floats, float]:
    """Return bit/s of each UE, shape [ues], and the share of lost blocks in our cell."""
    from sionna_phy.channel.recorded import write_recording

    ues = snr.shape[1]
    gains = snr * 10 ** ((NOISE_DBM - PRB_DBM) / 10)
    grid = np.repeat(gains[:, None, :, None, None], PRBS, axis=4).astype(np.float32)
    path = folder / "fading.safetensors"
    write_recording(path, np.split(grid, len(snr) // SAMPLES), block_duration_s=BLOCK_S)
    duration_s = len(snr) * BLOCK_S / SAMPLES
    scenario = folder / "sys.toml"
    scenario.write_text(
        f"""
name = "sionna-sys"
[run]
duration_s = {duration_s}
[channel]
model = "replay"
file = "{path}"
block_duration_s = {BLOCK_S}
samples_per_block = {SAMPLES}
[carrier]
duplex = "fdd"
[ues]
count = {ues}
speed_m_s = 0.0
[mac]
scheduler = "pf"
pf_window_slots = {WINDOW_SLOTS}
max_harq_tx = 1
cqi_period_slots = 1
cqi_delay_slots = 0
k1_slots = 1
olla_step_db = {STEP_DB}
bler_target = {TARGET}
[[traffic]]
kind = "full-buffer"
direction = "dl"
"""
    )
    out = folder / "run"
    out.mkdir()
    result = run_scenario(load_scenario(str(scenario), ()), out)
    assert result.status == "finished", result.reason
    slots = read_trace(out, "slots")
    slots = slots[(slots["direction"] == "dl") & (slots["t_s"] >= WARM_UP_S)]
    decoded = slots[slots["ack"]].groupby("ue")["tbs_bits"].sum()
    bits = decoded.reindex(sorted(read_trace(out, "slots")["ue"].unique()), fill_value=0)
    return bits.to_numpy(float) / (duration_s - WARM_UP_S), 1.0 - float(slots["ack"].mean())


def run_sionna(snr: Floats, seed: int) -> tuple[Floats, float]:
    """Return the same from Sionna's modules."""
    import sionna.phy
    import torch
    from sionna.sys import OuterLoopLinkAdaptation, PFSchedulerSUMIMO, PHYAbstraction

    sionna.phy.config.seed = seed
    torch.set_num_threads(1)
    ues = snr.shape[1]
    abstraction = PHYAbstraction()
    outer = OuterLoopLinkAdaptation(abstraction, num_ut=ues, bler_target=TARGET, delta_up=STEP_DB)
    scheduler = PFSchedulerSUMIMO(ues, 1, 1, beta=1 - 1 / WINDOW_SLOTS)
    slots_a_sample = round(BLOCK_S / SAMPLES / SLOT_S)
    feedback: Any = -torch.ones(ues, dtype=torch.int32)
    last = torch.zeros(ues)
    heard = torch.tensor(snr[0], dtype=torch.float32)
    total, blocks, lost = np.zeros(ues), 0, 0
    slots = len(snr) * slots_a_sample
    for slot in range(slots):
        now = torch.tensor(snr[slot // slots_a_sample], dtype=torch.float32)
        # Nobody else shares the slot: a flat carrier has one best user.
        given = scheduler(last, torch.log2(1 + heard)[None, None, :])[0, 0, :, 0]
        elements = given.to(torch.int32) * PRBS * RE_A_PRB
        mcs = outer(num_allocated_re=elements, harq_feedback=feedback, sinr_eff=heard)
        decoded, feedback, *_ = abstraction(
            mcs, sinr_eff=torch.where(given, now, 0.0), num_allocated_re=elements
        )
        last, heard = decoded.to(torch.float32), now
        if slot * SLOT_S >= WARM_UP_S:
            total += decoded.numpy()
            blocks += int(given.sum())
            lost += int((feedback == 0).sum())
    return total / (slots * SLOT_S - WARM_UP_S), lost / blocks


def compare(ues: int, duration_s: float, seed: int) -> dict[str, Any]:
    """Run both; rates in bit/s, shape [ues], and the share of lost blocks of each."""
    snr = fading_snr(ues, duration_s, seed)
    with tempfile.TemporaryDirectory() as folder:
        ours, our_loss = run_ns3(snr, Path(folder))
    theirs, their_loss = run_sionna(snr, seed)
    return {"ns3": ours, "sionna": theirs, "ns3_loss": our_loss, "sionna_loss": their_loss}


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the rates of all UEs, sorted, as two distribution functions."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for name, words, style in (("ns3", "ns-3 (this project)", "-"), ("sionna", "sionna.sys", "--")):
        rates = np.sort(found[name]) / 1e6
        axes.step(
            rates, np.arange(1, len(rates) + 1) / len(rates), style, where="post", label=words
        )
    axes.set(xlabel="throughput of a UE (Mbit/s)", ylabel="share of UEs", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> None:
    """Run both, print, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ues", type=int, default=20)
    parser.add_argument("--duration", type=float, default=6.0, help="simulated seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    found = compare(options.ues, options.duration, options.seed)
    for name in ("ns3", "sionna"):
        rates = found[name] / 1e6
        print(
            f"{name:7s} mean {rates.mean():.3f} Mbit/s, 5th percentile "
            f"{np.percentile(rates, 5):.3f}, blocks lost {found[name + '_loss']:.3f}"
        )
    if options.figure:
        draw(found, options.figure)


if __name__ == "__main__":
    main()
