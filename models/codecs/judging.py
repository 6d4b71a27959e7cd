# SPDX-License-Identifier: MIT
"""From a decoder's answers to what they are worth: of reconstruction tasks the fidelity."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.codecs.base import Decoded
from models.tasks import ReconstructionTask, Sample, get_task, task_names


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer held against its sample.

    Attributes:
        decoded: the answer; of a reconstruction task with the fidelity as score and the label that
            it gives.
        measures: of a reconstruction task, by name; empty for others.
    """

    decoded: Decoded
    measures: Mapping[str, float] = field(default_factory=dict)


def judge(task: str, samples: Sequence[Sample], answers: Sequence[Decoded]) -> list[Judged]:
    """Return answers held against the samples that were sent, in their order.

    Where a decoder gave no content, the task's guess stands for it.
    """
    # A task that is not registered, whose decoder is somebody's own, has no measure either.
    known = get_task(task) if task in task_names() else None
    if not isinstance(known, ReconstructionTask):
        return [Judged(answer) for answer in answers]
    out = []
    for sample, answer in zip(samples, answers, strict=True):
        content = known.guess() if answer.content is None else answer.content
        measures = known.measure(sample, content)
        main = next(iter(measures.values()))
        decoded = dataclasses.replace(
            answer, prediction=int(known.is_good(measures)), score=max(0.0, main)
        )
        out.append(Judged(decoded, measures))
    return out
