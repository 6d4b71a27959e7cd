# SPDX-License-Identifier: MIT
"""Which codec object the messages of a [[traffic]] entry go through."""

from cosim.scenario import Scenario, SemanticTraffic
from models.codecs import Codec, get_codec
from models.codecs.symbols import SymbolCodec
from sionna_phy.direct import LEVELS_PER_UNIT


class TrafficCodecs:
    """Makes codecs when they are asked for, and keeps them: loading a model takes seconds.

    Args:
        scenario: whose models section they follow.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._models = scenario.models
        self._kept: dict[tuple[str, str], Codec] = {}

    def get(self, traffic: SemanticTraffic) -> Codec:
        """Return the codec of an entry, which encodes into symbols if these are delivered."""
        kind = "symbols" if traffic.delivery == "symbols" else "units"
        if (traffic.codec, kind) not in self._kept:
            codec = self._kept.get((traffic.codec, "units")) or get_codec(
                traffic.codec,
                threads=self._models.threads,
                cut=self._models.cut,
                on_disk=self._models.cache,
            )
            self._kept[traffic.codec, "units"] = codec
            if kind == "symbols":
                self._kept[traffic.codec, kind] = SymbolCodec(codec, scale=LEVELS_PER_UNIT)
        return self._kept[traffic.codec, kind]
