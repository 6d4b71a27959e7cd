# SPDX-License-Identifier: MIT
"""A sentence comes back: similarity, corrected for its floor.

The sentences are those of task "sentiment" in the same splits. A receiver with nothing takes the
training sentence that is most like the others, of the first by hash; the floor is the mean
similarity of validation sentences to it: two unrelated reviews are still alike in being reviews.
"""

import dataclasses
import functools
from collections.abc import Mapping

from models.tasks.base import Sample, Task, TaskError, gather_task, register
from models.tasks.reconstruction import GOOD, LABELS, Content, ReconstructionTask
from models.tasks.sentiment import make_sentiment

GOOD_SIMILARITY = 0.8
"""Assumption: what counts as understood, floor-corrected."""

_CANDIDATES = 200


@register("text-reconstruction")
def make_text() -> Task:
    """Return the task."""
    source = make_sentiment()
    samples = (
        (dataclasses.replace(sample, label=GOOD), split)
        for split, part in source.splits.items()
        for sample in part
    )
    plain = gather_task("text-reconstruction", LABELS, samples)
    fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(Task)}

    @functools.cache
    def guess_and_floor() -> tuple[str, float]:
        return _guess(plain)

    def measure(sample: Sample, content: Content) -> Mapping[str, float]:
        from models.fidelity import cosine, floor_corrected

        if not isinstance(content, str):
            raise TaskError(f"sample {sample.id}: only a text can be compared with a text")
        return {
            "similarity": floor_corrected(cosine(sample.text, content), guess_and_floor()[1]),
        }

    return ReconstructionTask(
        **fields,
        good_from=GOOD_SIMILARITY,
        guess=lambda: guess_and_floor()[0],
        measure=measure,
    )


def _guess(task: Task) -> tuple[str, float]:
    """Return the most typical training sentence and its mean cosine with validation sentences."""
    from models.retrieval.encoder import load_encoder  # imports torch

    encoder = load_encoder()
    texts = [sample.text for sample in task.train[:_CANDIDATES]]
    vectors = encoder.encode(texts)
    best = int((vectors @ vectors.sum(0)).argmax())
    others = encoder.encode([sample.text for sample in task.validation[:_CANDIDATES]])
    return texts[best], float((others @ vectors[best]).mean())
