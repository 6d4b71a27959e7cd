# SPDX-License-Identifier: MIT
"""Which codec object the messages of a [[traffic]] entry go through."""

from pathlib import Path

from cosim.scenario import Problem, Scenario, ScenarioError, SemanticTraffic
from cosim.scenario.errors import show
from cosim.scenario.names import own_weights
from models.backbone import BackboneError
from models.codecs import Codec, CodecError, get_codec
from models.codecs.symbols import SymbolCodec
from sionna_phy.direct import LEVELS_PER_UNIT


class TrafficCodecs:
    """Makes codecs when they are asked for, and keeps them: loading a model takes seconds.

    Args:
        scenario: whose models section they follow.
    """

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._models = scenario.models
        self._kept: dict[tuple[str, str], Codec] = {}

    def get(self, traffic: SemanticTraffic) -> Codec:
        """Return the codec of an entry, which encodes into symbols if these are delivered."""
        kind = "symbols" if traffic.delivery == "symbols" else "units"
        if (traffic.codec, kind) not in self._kept:
            codec = self._kept.get((traffic.codec, "units")) or self._make(traffic.codec)
            self._kept[traffic.codec, "units"] = codec
            if kind == "symbols":
                self._kept[traffic.codec, kind] = SymbolCodec(codec, scale=LEVELS_PER_UNIT)
        return self._kept[traffic.codec, kind]

    def _make(self, name: str) -> Codec:
        models = self._models
        if not own_weights(self._scenario, name):
            return get_codec(name, threads=models.threads, cut=models.cut, on_disk=models.cache)
        try:
            return get_codec(
                name,
                threads=models.threads,
                cut=models.cut,
                on_disk=models.cache,
                folder=Path(models.weights),
                backbone=models.backbone or None,
                allow_hub=models.allow_hub,
            )
        except (BackboneError, CodecError) as error:
            problem = Problem("models.weights", show(models.weights), str(error))
            raise ScenarioError([problem], source=self._scenario.name) from None
