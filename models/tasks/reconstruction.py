# SPDX-License-Identifier: MIT
"""Tasks whose answer is the sample itself: it is measured how near the receiver comes to it.

The labels are "poor" and "good": every sample's true label is "good", and an answer's label says
whether the fidelity reached the task's threshold. So shares of right answers, goodput and the
like mean the same for these tasks as for the others, beside the fidelity itself.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from models.tasks.base import Picture, Sample, Task, TaskError

LABELS = ("poor", "good")
POOR, GOOD = 0, 1

Content = str | Picture


def _no_content() -> Content:
    raise TaskError("a reconstruction task needs `guess`")


def _no_measure(sample: Sample, content: Content) -> Mapping[str, float]:
    raise TaskError("a reconstruction task needs `measure`")


@dataclass(frozen=True)
class ReconstructionTask(Task):
    """Samples to be sent as they are.

    Attributes:
        good_from: threshold of the first measure.
        guess: returns what a receiver takes for the content when nothing has arrived.
        measure: returns the measures of a reconstruction by name, the main one first, 0 or more.
    """

    good_from: float = 0.0
    guess: Callable[[], Content] = _no_content
    measure: Callable[[Sample, Content], Mapping[str, float]] = _no_measure

    def is_good(self, measures: Mapping[str, float]) -> bool:
        """Return whether the first measure reaches the threshold."""
        return next(iter(measures.values())) >= self.good_from

    @functools.cached_property
    def prior_label(self) -> int:
        """Return "poor": without any message nothing is taken for reconstructed."""
        return POOR

    @functools.cached_property
    def prior_probability(self) -> float:
        """Return the share of validation samples of which the guess is poor."""
        return 1.0 - self._guessed(self.validation)

    @functools.cached_property
    def prior_accuracy(self) -> float:
        """Return the share of test samples of which the guess is good."""
        return self._guessed(self.test)

    def _guessed(self, samples: tuple[Sample, ...]) -> float:
        content = self.guess()
        return sum(self.is_good(self.measure(s, content)) for s in samples) / len(samples)
