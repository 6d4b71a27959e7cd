# SPDX-License-Identifier: MIT
"""Which clients take part in a round, from what the server itself has measured."""

from collections.abc import Mapping, Sequence

import numpy as np

POLICIES = ("all", "random", "channel", "deadline")


def select_clients(
    policy: str,
    clients: Sequence[int],
    count: int,
    *,
    rng: np.random.Generator,
    rate_bps: Mapping[int, float],
    round_s: Mapping[int, float],
    deadline_s: float,
) -> list[int]:
    """Return the clients of the next round, ascending.

    Args:
        policy: "all"; "random", `count` by chance; "channel", the `count` with the highest uplink
            rate; "deadline", the `count` fastest of those whose last round took no longer than the
            deadline (Nishio and Yonetani, "FedCS", ICC 2019). Who has not been measured yet comes
            first, so that everybody is; who missed its last round has been.
        clients: candidates.
        count: how many at most.
        rng: of the random choice.
        rate_bps: measured uplink rate of each client so far.
        round_s: duration of each client's last round so far, infinity if it was not done in time.
        deadline_s: of a round; infinity for none.

    Raises:
        ValueError: no such policy.
    """
    if policy not in POLICIES:
        raise ValueError(f"no selection is named {policy!r}; known: {', '.join(POLICIES)}")
    order = list(clients)
    if policy == "random":
        order = [order[i] for i in rng.permutation(len(order))]
    elif policy == "channel":
        order.sort(key=lambda c: (-rate_bps.get(c, float("inf")), c))
    elif policy == "deadline":
        fit = [c for c in order if round_s.get(c, 0.0) <= deadline_s]
        # With nobody fast enough the fastest one goes on alone, or nothing would ever happen.
        order = sorted(fit, key=lambda c: (round_s.get(c, 0.0), c)) or [
            min(order, key=lambda c: (round_s.get(c, 0.0), c))
        ]
    return sorted(order if policy == "all" else order[:count])
