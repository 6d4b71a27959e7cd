# SPDX-License-Identifier: MIT
"""The sum of all links' rays as few large matrix products.

With the functions B_k of `TimeBasis` and a ray's phase at time 0, a link's response is

    H(t, f) = sum over k of B_k(t) sum over paths p of P[k, p] exp(-j 2 pi f tau[p])
    P[k, p] = sum over rays r of  a[p, r] exp(j phase[p, r]) C_k(nu[p, r])

in which everything that is a matrix product is one of real numbers: C and B are real, and if PRBs
lie symmetrically about the carrier, the even and odd parts over frequency of the inner sum are
products of P with the cosine and the sine at the PRBs above it alone. Links are sorted by their
number of paths, so that none is summed over paths that only others have, and are worked on in
groups that fit the processor's cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.rays import RaySet

Of = Callable[[npt.NDArray[np.complex64]], npt.NDArray[Any]]
BYTES_AT_ONCE = 2 * 2**20
"""Size of a group's largest array."""


@dataclass(frozen=True)
class LinkGroup:
    """Rays of some links, as float32 tensors unless said otherwise.

    Attributes:
        links: numbers of the links (cell x UEs + UE), int64, shape [links].
        real, imaginary: of the amplitudes, shape [links, pairs, paths x rays].
        doppler_hz: float64, shape [links, paths x rays].
        turns_per_m: float64, shape [links, paths x rays, 3], or None.
        cosine, sine: of the delays' phases at the PRBs, shape [links, paths, prbs above].
    """

    links: Any
    real: Any
    imaginary: Any
    doppler_hz: Any
    turns_per_m: Any
    cosine: Any
    sine: Any


class RaySum:
    """Groups of links, and what is done with each.

    Args:
        rays: of all links.
        frequencies_hz: of the PRBs, relative to the carrier, shape [prbs].
        columns: samples or functions of time, whichever are more at once.

    Attributes:
        groups: links without any power are in none.
        shape: cells and UEs.
        pairs: UE antennas x gNB antennas.
    """

    def __init__(self, rays: RaySet, frequencies_hz: npt.NDArray[np.float64], columns: int) -> None:
        import torch

        cells, ues, _, pairs, count = rays.amplitude.shape
        self.pairs = int(pairs)
        self.shape: tuple[int, int] = (cells, ues)
        self.prbs = len(frequencies_hz)
        self._mirrored = np.array_equal(frequencies_hz, -frequencies_hz[::-1])
        above = (self.prbs + 1) // 2 if self._mirrored else self.prbs
        frequencies = torch.as_tensor(frequencies_hz[self.prbs - above :], dtype=torch.float64)
        amplitude = rays.amplitude.flatten(0, 1)
        # [links, paths]: paths with power first
        there = (amplitude != 0).any(dim=3).any(dim=2)
        first = torch.argsort((~there).to(torch.uint8), dim=1, stable=True)
        needed = there.sum(dim=1)
        order = torch.argsort(needed, descending=True, stable=True)
        order = order[: int((needed > 0).sum())]
        self.groups: list[LinkGroup] = []
        start = 0
        while start < len(order):
            most = int(needed[order[start]])
            largest = 8 * self.pairs * max(most * count, columns * self.prbs)
            links = order[start : start + max(1, BYTES_AT_ONCE // largest)]
            start += len(links)
            at = first[links, :most]

            def chosen(x: Any, links: Any = links, at: Any = at) -> Any:
                return x.flatten(0, 1)[links[:, None], at]

            part = chosen(rays.amplitude).permute(0, 2, 1, 3).flatten(2)
            angle = 2 * np.pi * chosen(rays.delay_s)[..., None] * frequencies
            turns = None if rays.turns_per_m is None else chosen(rays.turns_per_m).flatten(1, 2)
            self.groups.append(
                LinkGroup(
                    links=links,
                    real=part.real.contiguous(),
                    imaginary=part.imag.contiguous(),
                    doppler_hz=chosen(rays.doppler_hz).flatten(1),
                    turns_per_m=turns,
                    cosine=torch.cos(angle).to(torch.float32),
                    sine=torch.sin(angle).to(torch.float32),
                )
            )

    @property
    def bytes_of_a_function(self) -> int:
        """Return the size of what `spread` returns for all links, for each function of time."""
        return 8 * self.pairs * (self.prbs + 1) * sum(len(group.links) for group in self.groups)

    def coefficients(self, group: LinkGroup, basis: Any, shifts_hz: Any) -> Any:
        """Return the rays' coefficients as `spread` takes them.

        Args:
            group: one of `groups`.
            basis: a `TimeBasis`.
            shifts_hz: float64, shape [links, paths x rays].
        """
        links, paths, _ = group.cosine.shape
        found = basis.coefficients(shifts_hz).reshape(links, paths, -1, basis.functions.shape[1])
        return found.permute(1, 0, 3, 2).contiguous()

    def spread(self, group: LinkGroup, cycles: Any, coefficients: Any, even: int) -> list[Any]:
        """Return the sum over rays and paths, for each function of time.

        Args:
            group: one of `groups`.
            cycles: turns of each ray at time 0, float64, shape [links, paths x rays]; overwritten.
            coefficients: from `coefficients`, shape [paths, links, functions, rays].
            even: how many functions are even.

        Returns:
            At the PRBs above and, unless that is all, those below the carrier, from it outwards:
            shape [functions, links, 2, pairs x prbs], real and imaginary parts.
        """
        import torch

        links, paths, above = group.cosine.shape
        pairs, count = self.pairs, coefficients.shape[2]
        cycles -= cycles.round()
        angle = cycles.to(torch.float32).mul_(2 * np.pi)[:, None]
        cosine, sine = torch.cos(angle), torch.sin(angle)
        turned = torch.empty(links, 2, *group.real.shape[1:])
        torch.mul(group.real, cosine, out=turned[:, 0]).addcmul_(group.imaginary, sine, value=-1)
        torch.mul(group.real, sine, out=turned[:, 1]).addcmul_(group.imaginary, cosine)
        by_path = turned.view(links, 2 * pairs, paths, -1)
        sums = torch.empty(paths, links, count, 2 * pairs)
        for path in range(paths):
            torch.bmm(coefficients[path], by_path[:, :, path].transpose(1, 2), out=sums[path])
        rows = sums.view(paths, links, -1).permute(1, 2, 0)
        # By function, real and imaginary part: [functions, links, 2, pairs x prbs]
        shape = (links, count, 2, pairs * above)
        in_phase = torch.bmm(rows, group.cosine).view(shape).transpose(0, 1)
        quadrature = torch.bmm(rows, group.sine).view(shape).transpose(0, 1)
        sides = []
        for sign in (1.0, -1.0) if self._mirrored else (1.0,):
            # P (cosine -+ j sine), and for odd functions, whose coefficients lack it, times j.
            side = torch.empty(count, links, 2, pairs * above)
            (c_re, c_im), (s_re, s_im) = (x.unbind(dim=2) for x in (in_phase, quadrature))
            torch.add(c_re[:even], s_im[:even], alpha=sign, out=side[:even, :, 0])
            torch.sub(c_im[:even], s_re[:even], alpha=sign, out=side[:even, :, 1])
            torch.add(c_re[even:], s_im[even:], alpha=sign, out=side[even:, :, 1])
            torch.sub(c_im[even:], s_re[even:], alpha=sign, out=side[even:, :, 0]).neg_()
            sides.append(side)
        return sides

    def responses(self, sides: list[Any], functions: Any) -> list[Any]:
        """Return the responses of a group at some samples.

        Args:
            sides: from `spread`.
            functions: float32, shape [samples, functions].

        Returns:
            As `spread`, with samples in the place of functions.
        """
        return [
            (functions @ side.view(len(side), -1)).view(len(functions), *side.shape[1:])
            for side in sides
        ]

    def powers(self, responses: list[Any]) -> npt.NDArray[np.float32]:
        """Return the mean over antenna pairs of |H|^2, and overwrite the responses.

        Returns:
            Shape [samples, links, prbs].
        """
        parts = []
        for part in responses:
            samples, links = part.shape[:2]
            part.mul_(part)
            total = part.view(samples, links, 2 * self.pairs, -1).sum(dim=2)
            parts.append(total.mul_(1.0 / self.pairs).numpy())
        return self._in_order(parts)

    def matrices(self, responses: list[Any], which: Any) -> npt.NDArray[np.complex64]:
        """Return complex responses of some of a group's links.

        Args:
            responses: from `responses`.
            which: positions in the group.

        Returns:
            Shape [samples, links, pairs, prbs].
        """
        parts = []
        for part in responses:
            real, imaginary = part[:, which].numpy().swapaxes(0, 2).swapaxes(1, 2)
            shape = (len(part), len(which), self.pairs, -1)
            parts.append((real + 1j * imaginary).reshape(shape))
        return self._in_order(parts)

    def _in_order(self, parts: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
        """Return values at all PRBs, upwards, from those above and below the carrier."""
        if not self._mirrored:
            return parts[0]
        above, below = parts
        middle = self.prbs % 2  # the PRB at the carrier is on both sides
        return np.concatenate([below[..., middle:][..., ::-1], above], axis=-1)


class Collected:
    """What groups of links add to a block.

    Args:
        total: whose groups are added.
        samples: of the block.
        wanted: links whose matrices are asked for, shape [cells, ues]; None: of none.
        of: from matrices, shape [links, samples, prbs, pairs], to what is kept of them.
    """

    def __init__(
        self,
        total: RaySum,
        samples: int,
        wanted: npt.NDArray[np.bool_] | None,
        of: Of | None,
    ) -> None:
        self._sum = total
        cells, ues = total.shape
        self._samples = samples
        self._powers = np.zeros((samples, cells * ues, total.prbs), dtype=np.float32)
        self._asked = np.zeros(cells * ues, bool) if wanted is None else wanted.reshape(-1)
        self._place = np.cumsum(self._asked) - 1
        self._of = of or (lambda matrices: matrices)
        self._kept: npt.NDArray[Any] | None = None

    def add(
        self,
        group: LinkGroup,
        responses: list[Any],
        scale: npt.NDArray[np.float32] | None = None,
    ) -> None:
        """Add a group.

        Args:
            group: of the sum.
            responses: of it, from `RaySum.responses`; overwritten.
            scale: on amplitudes, shape [samples, links]; None: 1.
        """
        links = group.links.numpy()
        here = np.flatnonzero(self._asked[links])
        if len(here):
            matrices = self._sum.matrices(responses, here)
            if scale is not None:
                matrices *= scale[:, here, None, None]
            self._keep(links[here], self._of(np.ascontiguousarray(matrices.transpose(1, 0, 3, 2))))
        powers = self._sum.powers(responses)
        self._powers[:, links] = powers if scale is None else powers * scale[..., None] ** 2

    def _keep(self, links: npt.NDArray[np.int64], values: npt.NDArray[Any]) -> None:
        if self._kept is None:
            shape = (int(self._asked.sum()), *values.shape[1:])
            self._kept = np.zeros(shape, dtype=values.dtype)
        self._kept[self._place[links]] = values

    def powers(self) -> npt.NDArray[np.float32]:
        """Return mean powers, shape [samples, cells, ues, prbs]; 0 of links in no group."""
        return self._powers.reshape(self._samples, *self._sum.shape, self._sum.prbs)

    def kept(self) -> npt.NDArray[Any]:
        """Return what was kept, cell by cell, shape [links, samples, prbs, any].

        Links in no group have zeros.
        """
        if self._kept is not None:
            return self._kept
        shape = (int(self._asked.sum()), self._samples, self._sum.prbs, self._sum.pairs)
        return self._of(np.zeros(shape, dtype=np.complex64)) if shape[0] else np.zeros(shape)
