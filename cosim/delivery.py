# SPDX-License-Identifier: MIT
"""Link-level delivery of semantic units over Sionna's link: as packets, as bits, as symbols.

*packet*: LDPC-coded QAM, a CRC a packet; a packet with any wrong bit is lost with all its units.
*bits*: the same coded QAM without a CRC; the decoder gets every unit, with the bits that the
channel decoder got wrong.
*symbols*: no code and no constellation: a unit's values are sent as they are, two to a complex
symbol (analog joint source-channel coding), and come back with noise.

All three use the same channel: block Rayleigh fading or none, with one tap a block, and noise. What
is not payload is counted: pilots, the CRC, and for symbols the message's number of units.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sionna_phy.abstraction.mcs import MCS_TABLE_1

Mode = Literal["packet", "bits", "symbols"]
Doubles = npt.NDArray[np.float64]

CRC_BITS = 24
"""CRC24A of TS 38.212 clause 5.1."""

PILOT_SPACING = 6
"""One pilot before every so many data symbols of a block: 1/7 of the resource, as with one DMRS
symbol in seven."""

LOWEST_RATE = 0.2
"""Of Sionna's LDPC encoder: the code of TS 38.212 itself, without repetition."""

HEADER_BITS = 16
"""With symbols, how many units follow: QPSK of rate 120/1024 (MCS 0), which here is never wrong."""


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """A link.

    Attributes:
        snr_db: mean energy of a symbol over the noise's density, dB.
        mcs: index of TS 38.214 table 5.1.3.1-1, for packets and bits.
        fading: one complex Gaussian gain a packet or message (block Rayleigh), or gain 1.
        pilots: the gain is estimated from pilots of the same noise; else it is known.
    """

    snr_db: float
    mcs: int = 4
    fading: bool = False
    pilots: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.mcs < len(MCS_TABLE_1):
            raise ValueError(f"mcs = {self.mcs} must be 0 to {len(MCS_TABLE_1) - 1}")
        if not math.isfinite(self.snr_db):
            raise ValueError(f"snr_db = {self.snr_db} must be finite")


@dataclass(frozen=True)
class Delivery:
    """What came of some messages.

    Attributes:
        payloads: bytes of each unit as received, None for those that were lost (packet and bits).
        values: of each unit as received, or None (symbols).
        symbols: complex symbols spent, pilots and headers included.
    """

    payloads: list[bytes | None]
    values: Doubles | None
    symbols: int


def send_packet(
    units: Sequence[bytes], config: LinkConfig, rng: np.random.Generator, *, crc: bool = True
) -> Delivery:
    """Send some units as one code block.

    Args:
        units: payloads of one packet; 24 to 8424 bits in all.
        config: the link.
        rng: of fading and noise.
        crc: whether a block with any error is lost; without it the units come with their errors.
    """
    data = np.frombuffer(b"".join(units), np.uint8)
    bits = np.unpackbits(data)
    check = rng.integers(0, 2, CRC_BITS, dtype=np.uint8)  # stands for the CRC: random to the code
    word = np.concatenate([bits, check]) if crc else bits
    decided, symbols = _coded(word, config, rng)
    wrong = bool((decided != word).any())
    if crc and wrong:
        return Delivery([None] * len(units), None, symbols)
    out = np.packbits(decided[: len(bits)]).tobytes()
    parts: list[bytes | None] = []
    at = 0
    for unit in units:
        parts.append(out[at : at + len(unit)])
        at += len(unit)
    return Delivery(parts, None, symbols)


def send_bits(units: Sequence[bytes], config: LinkConfig, rng: np.random.Generator) -> Delivery:
    """Send some units as one code block without a CRC."""
    return send_packet(units, config, rng, crc=False)


def send_values(values: Doubles, config: LinkConfig, rng: np.random.Generator) -> Delivery:
    """Send units' values as symbols.

    The power is normalised over the message: its symbols have unit mean energy, and the scale that
    this took is estimated at the receiver from the known variance of the values (1), not sent.

    Args:
        values: about unit variance, shape [units, dimensions].
        config: the link; `mcs` is not used.
        rng: of fading and noise.
    """
    flat = np.clip(values.reshape(-1), -3.0, 3.0)
    padded = np.concatenate([flat, np.zeros(len(flat) % 2)])
    sent = (padded[0::2] + 1j * padded[1::2]) / math.sqrt(2)
    energy = float(np.mean(np.abs(sent) ** 2)) or 1.0
    received, gain, noise, pilots = _through(sent / math.sqrt(energy), config, rng)
    # Linear least squares with known statistics: unit mean energy, this gain, this noise.
    estimate = received * np.conj(gain) / (abs(gain) ** 2 + noise) * math.sqrt(2)
    back = np.stack([estimate.real, estimate.imag], 1).reshape(-1)[: len(flat)]
    header = math.ceil(HEADER_BITS / MCS_TABLE_1[0].efficiency)
    return Delivery([], back.reshape(values.shape), len(sent) + pilots + header)


def _through(
    sent: npt.NDArray[np.complex128], config: LinkConfig, rng: np.random.Generator
) -> tuple[npt.NDArray[np.complex128], complex, float, int]:
    """Return received symbols, the gain as the receiver knows it, noise power and pilots spent."""
    noise = 10 ** (-config.snr_db / 10)
    gain = complex(*rng.normal(size=2)) / math.sqrt(2) if config.fading else 1.0 + 0.0j
    pilots = -(-len(sent) // PILOT_SPACING) if config.pilots else 0
    parts = rng.normal(scale=math.sqrt(noise / 2), size=(2, len(sent)))
    received = gain * sent + parts[0] + 1j * parts[1]
    known = gain
    if pilots:
        error = rng.normal(scale=math.sqrt(noise / 2 / pilots), size=2)
        known = gain + complex(error[0], error[1])
    return received, known, noise, pilots


def _coded(
    word: npt.NDArray[np.uint8], config: LinkConfig, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], int]:
    """Return the bits that Sionna's LDPC decoder decides, and the symbols spent."""
    import torch

    from sionna_phy.threads import one_thread

    mapper, demapper, encoder, decoder = _chain(len(word), config.mcs)
    with torch.no_grad(), one_thread():
        coded = encoder(torch.from_numpy(word.astype(np.float32))[None])
        sent = mapper(coded)[0].numpy().astype(np.complex128)
        received, gain, noise, pilots = _through(sent, config, rng)
        equalised = received / gain if gain else received
        variance = noise / max(abs(gain) ** 2, 1e-12)
        llr = demapper(torch.from_numpy(equalised.astype(np.complex64))[None], variance)
        decided = decoder(llr)[0].numpy().astype(np.uint8)
    return decided, len(sent) + pilots


_CHAINS: dict[tuple[int, int], tuple[Any, Any, Any, Any]] = {}


def _chain(bits: int, mcs: int) -> tuple[Any, Any, Any, Any]:
    """Return mapper, demapper, encoder and decoder for a code block (kept)."""
    if (bits, mcs) not in _CHAINS:
        from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder
        from sionna.phy.mapping import Constellation, Demapper, Mapper

        scheme = MCS_TABLE_1[mcs]
        if scheme.code_rate < LOWEST_RATE:
            raise ValueError(
                f"mcs = {mcs}: a code block of rate {scheme.code_rate:.2f} would need repetition, "
                "which this link lacks; take 3 or more"
            )
        order = scheme.bits_per_symbol
        coded = math.ceil(bits / scheme.code_rate / order) * order
        encoder = LDPC5GEncoder(bits, coded, num_bits_per_symbol=order)
        constellation = Constellation("qam", order)
        _CHAINS[bits, mcs] = (
            Mapper(constellation=constellation),
            Demapper("app", constellation=constellation),
            encoder,
            LDPC5GDecoder(encoder, num_iter=20),
        )
    return _CHAINS[bits, mcs]


def at_snr(config: LinkConfig, snr_db: float) -> LinkConfig:
    """Return the same link at another SNR."""
    return replace(config, snr_db=snr_db)
