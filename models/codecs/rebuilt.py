# SPDX-License-Identifier: MIT
"""What the codecs of reconstruction tasks have in common."""

from models.codecs.base import CodecError, Decoded
from models.tasks import Content, ReconstructionTask, TaskError, get_task
from models.tasks.reconstruction import GOOD, POOR

ACCEPT_SHARE = 0.9
"""Assumption: the receiver acts on a reconstruction from this share of its units on."""


def check_task(codec: str, task: str, modality: str) -> ReconstructionTask:
    """Return the task.

    Raises:
        CodecError: it is unknown, or no reconstruction of this modality.
    """
    try:
        known = get_task(task)
    except TaskError as error:
        raise CodecError(f"codec {codec}: {error}") from None
    if not isinstance(known, ReconstructionTask) or known.modality != modality:
        raise CodecError(f"codec {codec} reconstructs samples of modality {modality}, not {task!r}")
    return known


def answer(content: Content | None, arrived: int, sent: int) -> Decoded:
    """Return the answer for content that was reconstructed from `arrived` of `sent` units."""
    if content is None or not arrived:
        return Decoded(POOR, 0.0, 0.0, False)
    share = min(1.0, arrived / sent)
    accepted = share >= ACCEPT_SHARE
    return Decoded(GOOD if accepted else POOR, 0.0, share, accepted, content)
