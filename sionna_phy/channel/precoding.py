# SPDX-License-Identifier: MIT
"""Precoders and rank: from the channel matrices of a link to the gain of each layer.

The gain of a layer is that with all transmit power on it: whoever sends r layers shares the power
out, P/r each. With rank adaptation, layers that are not worth their share of the power have gain 0,
so that the number of layers in use can be read from a block.

Two precoders. "svd": the channel is known without error at both sides and every PRB has its own
singular vectors; an upper bound. "codebook": the type I single-panel codebook of TS 38.214 clause
5.2.2.2.1 for one and two layers, one entry for the whole band and sample, and a zero-forcing
receiver. Its entries are columns of an oversampled DFT over the panel, with a co-phasing between
the two polarisations; a panel of one polarisation uses the same beams, two orthogonal ones for two
layers.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.beamforming import layer_gains
from sionna_phy.channel.spec import ChannelSpec, ChannelSpecError

OVERSAMPLING = 4
"""O1 and O2 of TS 38.214 table 5.2.2.2.1-2 (1 along an axis with one antenna)."""
PROBE_PRBS = 8
"""PRBs over the band on which the entry is chosen."""
_CHUNK = 2**22


class Precoder:
    """What a spec says about precoding.

    Raises:
        ChannelSpecError: the codebook has no such number of layers.
    """

    def __init__(self, spec: ChannelSpec) -> None:
        self._layers = spec.layers
        self._antennas = spec.ue_antennas, spec.gnb_antennas
        self._any_cell_serves = spec.any_cell_serves
        self._snr = None if spec.tx_to_noise_db is None else 10 ** (spec.tx_to_noise_db / 10)
        self._books: list[Any] = []
        if spec.precoder == "codebook":
            if spec.layers > 2:
                raise ChannelSpecError(
                    f"layers: the codebook is implemented for 1 and 2 layers, not {spec.layers}; "
                    'use precoder = "svd"'
                )
            import torch

            dual = spec.gnb_polarisation == "dual"
            for rank in range(1, spec.layers + 1):
                book = codebook(spec.gnb_rows, spec.gnb_columns, dual, rank)
                self._books.append(torch.as_tensor(book, dtype=torch.complex64))

    @property
    def takes_matrices(self) -> bool:
        """Say whether a serving link's gain needs more than its mean power over antennas."""
        return bool(self._books) or self._layers > 1 or min(self._antennas) > 1

    def serving(self, cells: int, serving_cell: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Return which links serve, shape [cells, ues]; all of them if any cell serves."""
        if self._any_cell_serves:
            return np.ones((cells, len(serving_cell)), dtype=bool)
        return np.asarray(np.arange(cells)[:, None] == serving_cell[None, :])

    def layers_of(self, matrices: npt.NDArray[np.complex64]) -> npt.NDArray[np.float32]:
        """Return the power gains of serving links' layers.

        Args:
            matrices: shape [links, times, prbs, ue antennas x gnb antennas].

        Returns:
            Shape [links, times, prbs, layers].
        """
        import torch

        own = torch.from_numpy(matrices).reshape(*matrices.shape[:-1], *self._antennas)
        if not self._books and (self._layers == 1 or self._snr is None):
            gains = layer_gains(own, self._layers)
        else:
            if self._books:
                by_rank = [codebook_gains(own, book, self._snr or 1.0) for book in self._books]
            else:
                every = layer_gains(own, self._layers)
                by_rank = [every[..., : rank + 1] for rank in range(self._layers)]
            if self._snr is None:
                gains = by_rank[-1]
            else:
                gains = best_rank(by_rank, self._snr, self._layers)
        return np.asarray(gains.numpy())

    def planes(
        self,
        powers: npt.NDArray[np.float32],
        serving: npt.NDArray[np.bool_],
        layers: npt.NDArray[np.float32],
    ) -> npt.NDArray[np.float32]:
        """Return a block's gains.

        A link that does not serve has the mean power over all antenna pairs in every layer. That is
        the expected power between one combined antenna port and the other side when the precoder
        was made for someone else and is therefore unrelated to this channel; the fluctuation that a
        particular precoder would add is left out. If any cell serves, that is the last plane, of
        all links.

        Args:
            powers: mean over antenna pairs, shape [times, cells, ues, prbs].
            serving: links that serve, shape [cells, ues].
            layers: of these, cell by cell, shape [links, times, prbs, layers]; without effect
                unless `takes_matrices`.

        Returns:
            Shape [times, cells, ues, planes, prbs].
        """
        times, cells, ues, prbs = powers.shape
        planes = self._layers + int(self._any_cell_serves)
        gains = np.empty((times, cells, ues, planes, prbs), dtype=np.float32)
        gains[...] = powers[:, :, :, None]
        if self.takes_matrices:
            gains[:, serving, : self._layers] = layers.transpose(1, 0, 3, 2)
        else:  # one antenna at one side: the sum over the other's (maximum-ratio)
            gains[:, serving, 0] *= max(self._antennas)
        return gains


def best_rank(by_rank: list[Any], snr: float, layers: int) -> Any:
    """Return the gains of the rank with the highest sum rate, padded with 0 to all layers.

    Args:
        by_rank: gains with 1, 2, ... layers, shapes [ues, times, prbs, rank].
        snr: transmit power over noise, linear, of a PRB.
        layers: in the result.

    Returns:
        Shape [ues, times, prbs, layers]; a UE has one rank at a time for the whole band.
    """
    import torch

    rates = torch.stack(
        [
            torch.log2(1 + snr * gains / (rank + 1)).sum(dim=-1).mean(dim=-1)
            for rank, gains in enumerate(by_rank)
        ]
    )
    chosen = rates.argmax(dim=0)  # [ues, times]
    out = torch.zeros(*by_rank[0].shape[:-1], layers)
    for rank, gains in enumerate(by_rank):
        mask = (chosen == rank)[..., None, None]
        out[..., : rank + 1] += torch.where(mask, gains, 0.0)
    return out


def codebook_gains(matrices: Any, book: Any, snr: float) -> Any:
    """Return the layers' gains behind a zero-forcing receiver with the best entry of a codebook.

    With unit-power precoder W, the gain of layer l with all power on it is r / [(W* H* H W)^-1]ll
    if the entry's columns have power 1/r each.

    Args:
        matrices: complex, shape [ues, times, prbs, ue antennas, gnb antennas].
        book: complex, shape [entries, gnb antennas, rank].
        snr: transmit power over noise, linear, for the choice.

    Returns:
        Real, shape [ues, times, prbs, rank].
    """
    import torch

    ues, times, prbs, receive, _ = matrices.shape
    rank = book.shape[-1]
    probe = torch.linspace(0, prbs - 1, min(prbs, PROBE_PRBS)).round().long()
    flat = matrices.reshape(ues * times, prbs, receive, -1)
    per_row = len(book) * len(probe) * receive * rank
    step = max(1, _CHUNK // per_row)
    chosen = torch.empty(len(flat), dtype=torch.long)
    for first in range(0, len(flat), step):
        part = flat[first : first + step][:, probe]
        product = torch.einsum("npra,kal->nkprl", part, book)
        rate = torch.log2(1 + snr * _zero_forcing(product) / rank).sum(dim=-1).mean(dim=-1)
        chosen[first : first + step] = rate.argmax(dim=1)
    product = torch.einsum("npra,nal->nprl", flat, book[chosen])
    return _zero_forcing(product).reshape(ues, times, prbs, rank)


def _zero_forcing(product: Any) -> Any:
    """Return r / [(A* A)^-1]ll for effective channels A = H W, shape [..., ue antennas, rank]."""
    rank = product.shape[-1]
    power = (product.real**2 + product.imag**2).sum(dim=-2)
    if rank == 1:
        return power
    cross = (product[..., 0].conj() * product[..., 1]).sum(dim=-1)
    determinant = power[..., 0] * power[..., 1] - (cross.real**2 + cross.imag**2)
    # [(A* A)^-1]00 is power[1] / determinant: what is left of a column orthogonal to the other.
    flipped = power.flip(-1).clamp_min(1e-38)
    return rank * determinant.clamp_min(0.0)[..., None] / flipped


@cache
def codebook(rows: int, columns: int, dual: bool, rank: int) -> npt.NDArray[np.complex128]:
    """Return all precoders of one or two layers.

    Args:
        rows: of the panel.
        columns: of the panel.
        dual: cross-polarised; the antennas of the second polarisation come after the first's.
        rank: 1 or 2.

    Returns:
        Shape [entries, antennas, rank]; each has power 1 in total. Antennas run down the rows of a
        column first, as Sionna numbers them.
    """
    fine = [OVERSAMPLING if n > 1 else 1 for n in (rows, columns)]

    def beam(row: int, column: int) -> npt.NDArray[np.complex128]:
        down = np.exp(2j * np.pi * row * np.arange(rows) / (rows * fine[0]))
        across = np.exp(2j * np.pi * column * np.arange(columns) / (columns * fine[1]))
        return np.asarray((across[:, None] * down[None, :]).ravel())

    # Orthogonal neighbours in the grid of beams: i_1,3 of TS 38.214 table 5.2.2.2.1-3.
    steps = {(0, 0)} if dual else set()
    if rows > 1:
        steps.add((fine[0], 0))
    if columns > 1:
        steps.add((0, fine[1]))
    places = [(r, c) for r in range(rows * fine[0]) for c in range(columns * fine[1])]
    entries: list[npt.NDArray[np.complex128]] = []
    for row, column in places:
        first = beam(row, column)
        if rank == 1:
            phases = (1, 1j, -1, -1j) if dual else (0,)
            for phase in phases:
                entry = np.concatenate([first, phase * first]) if dual else first
                entries.append(entry[:, None])
            continue
        for down, across in sorted(steps):
            second = beam(row + down, column + across)
            if not dual:
                entries.append(np.stack([first, second], axis=1))
                continue
            for phase in (1, 1j):
                entries.append(
                    np.stack(
                        [
                            np.concatenate([first, phase * first]),
                            np.concatenate([second, -phase * second]),
                        ],
                        axis=1,
                    )
                )
    book = np.stack(entries)
    return np.asarray(book / np.linalg.norm(book, axis=(1, 2), keepdims=True))
