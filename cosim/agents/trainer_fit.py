# SPDX-License-Identifier: MIT
"""What part of the model each client gets: its rank and its cut, and what was measured of it."""

import math

from cosim.agents.trainer_setup import TrainingSetup


class ClientFit:
    """Ranks and cuts by memory and channel, from what the server itself has measured.

    Args:
        setup: of the entry.

    Attributes:
        rate_bps: client → uplink rate that it reached.
        round_s: client → how long its last round took, infinity if it missed it.
        cuts: client → the layers that it has.
    """

    def __init__(self, setup: TrainingSetup) -> None:
        self._setup = setup
        self.rate_bps: dict[int, float] = {}
        self.round_s: dict[int, float] = {}
        self.cuts = dict(setup.cuts)
        self._missed: set[int] = set()
        self._fresh: set[int] = set()

    def measured(self, client: int, *, took_s: float, rate_bps: float) -> None:
        """Note what a client's finished round showed."""
        self.round_s[client], self.rate_bps[client] = took_s, rate_bps
        self._missed.discard(client)
        self._fresh.add(client)

    def missed(self, client: int, *, rate_bps: float) -> None:
        """Note that a client was late: it has been measured, too, or it would be tried for ever."""
        self.round_s[client], self.rate_bps[client] = math.inf, rate_bps
        self._missed.add(client)

    def rank_of(self, client: int) -> int:
        """Return the rank that a client gets: its own, or less if ranks are adapted.

        It is halved for each factor of two by which the measured uplink rate is below the median,
        and at most what fits into the client's memory.
        """
        setup = self._setup
        rank = setup.ranks[client]
        if setup.fitting is not None:
            rank = min(rank, setup.fitting(client, self.cuts[client]))
        rates = sorted(self.rate_bps.values())
        if not self._setup.adapt_rank or client not in self.rate_bps:
            return rank
        slower = rates[len(rates) // 2] / max(self.rate_bps[client], 1.0)
        return max(1, rank >> max(0, math.floor(math.log2(max(slower, 1.0)))))

    def cut_of(self, client: int) -> int:
        """Return the layers that a client gets: its own, or what fits if cuts are adapted.

        One layer fewer after a round that it missed, otherwise what `Placement.choose` says.
        """
        setup, cut = self._setup, self.cuts[client]
        if setup.placement is None:
            return cut
        if client in self._missed:
            self._missed.discard(client)
            cut = max(setup.placement.lowest, cut - 1)
        elif client in self._fresh:
            self._fresh.discard(client)
            cut = setup.placement.choose(
                cut=cut,
                took_s=self.round_s[client],
                rate_bps=self.rate_bps[client],
                deadline_s=setup.round_deadline_s,
                deepest=setup.deepest[client],
            )
        self.cuts[client] = cut
        return cut
