# SPDX-License-Identifier: MIT
"""What both environments are made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from cosim.learning.episode import Episode
from cosim.scenario import Scenario, SemanticTraffic, load_scenario
from cosim.scenario.names import is_rung, rung_names


@dataclass(frozen=True)
class RateControlOptions:
    """Options of the rate-control environments.

    Attributes:
        scenario: a scenario file or a shipped scenario's name.
        overrides: `path.to.field=value`, as `cosim run --set`.
        traffic: which `[[traffic]]` entry is controlled, from 0.
        rungs: the actions; by default the named rungs of the entry's codec.
        byte_cost: taken off the reward for each 1000 bytes sent.
    """

    scenario: str = "hello"
    overrides: Sequence[str] = ()
    traffic: int = 0
    rungs: Sequence[str] | None = None
    byte_cost: float = 0.5

    def load(self, seed: int | None = None) -> Scenario:
        """Return the scenario with a seed.

        Raises:
            ScenarioError: the scenario is wrong.
            ValueError: no such entry, it is not semantic, or an unknown rung.
        """
        loaded = load_scenario(self.scenario, self.overrides, seed)
        if not 0 <= self.traffic < len(loaded.traffic):
            raise ValueError(
                f"traffic={self.traffic}: {loaded.name} has entries 0 to {len(loaded.traffic) - 1}"
            )
        entry = loaded.traffic[self.traffic]
        if not isinstance(entry, SemanticTraffic):
            raise ValueError(
                f"traffic={self.traffic} is of kind {entry.kind}; only semantic traffic has rungs"
            )
        for rung in self.rungs or ():
            if not is_rung(entry.codec, rung):
                known = ", ".join(rung_names(entry.codec))
                raise ValueError(f"rungs: {entry.codec} has no rung {rung!r}; it has {known}")
        return loaded

    def ladder(self) -> tuple[str, ...]:
        """Return the rungs that the actions stand for."""
        entry = self.load().traffic[self.traffic]
        assert isinstance(entry, SemanticTraffic)
        return tuple(self.rungs or rung_names(entry.codec))

    def ues(self) -> tuple[int, ...]:
        """Return the UEs that send the entry's messages."""
        loaded = self.load()
        chosen = loaded.traffic[self.traffic].ues
        return tuple(range(loaded.ues.count)) if chosen == "all" else tuple(chosen)

    def episode(self, seed: int) -> Episode:
        """Return an episode that has not started."""
        return Episode(self.load(seed), self.traffic, self.ladder(), self.byte_cost)
