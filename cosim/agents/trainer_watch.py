# SPDX-License-Identifier: MIT
"""Who of the clients is there: silence while something is due, and what is heard again."""

from collections.abc import Callable, Mapping

from cosim.agents.arq import ArqEndpoint


class Watch:
    """Notices clients that fall silent and come back, by the bytes that arrive from them.

    Args:
        endpoints: client → the server's end of its link.
        absent_s: silence after which a client is given up.

    Attributes:
        absent: clients that were given up, with the bytes that had come by then.
    """

    def __init__(self, endpoints: Mapping[int, ArqEndpoint], absent_s: float) -> None:
        self._endpoints, self._absent_s = endpoints, absent_s
        # Who is to send something, with what had been heard of them and since when.
        self._silent: dict[int, tuple[int, float]] = {}
        self._asked: dict[int, int] = {}
        self.absent: dict[int, int] = {}

    def expect(self, client: int, now_s: float) -> None:
        """Note that a client is to send something from now on, or already was."""
        self._silent.setdefault(client, (self._endpoints[client].received_bytes, now_s))

    def expects(self, client: int) -> bool:
        """Return whether something is due of a client."""
        return client in self._silent

    def done(self, client: int) -> None:
        """Note that nothing more is due of a client."""
        self._silent.pop(client, None)

    def look(self, now_s: float, waits: Callable[[int], bool]) -> tuple[list[int], list[int]]:
        """Return who is given up now, and who was heard again and is absent no longer.

        Args:
            now_s: simulated time.
            waits: whether a client has to wait for others, so that it may be silent.
        """
        given_up, back = [], []
        for client, (before, since_s) in sorted(self._silent.items()):
            heard = self._endpoints[client].received_bytes
            if heard != before or waits(client):
                self._silent[client] = (heard, now_s)
            elif now_s - since_s >= self._absent_s - 1e-9:
                given_up.append(client)
                del self._silent[client]
                self.absent[client] = heard
        for client, before in list(self.absent.items()):
            if self._endpoints[client].received_bytes != before:
                del self.absent[client]
                back.append(client)
        return given_up, back

    def to_ask(self) -> list[int]:
        """Return who is to be asked whether it is there: once, and when the transport gave up."""
        out = [c for c in self.absent if self._asked.get(c) != self._endpoints[c].failed]
        self._asked = {c: self._endpoints[c].failed for c in self.absent}
        return out
