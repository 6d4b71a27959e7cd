# SPDX-License-Identifier: MIT
"""A picture comes back: PSNR and MS-SSIM.

Task "picture-reconstruction" has the pictures of easy-VQA (coloured shapes, 64 x 64 pixels), task
"image-reconstruction" the photos of CIFAR-10 (32 x 32), each in the splits of the task that asks
about them. A receiver with nothing takes the mean of the training pictures' mean colours.
"""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping

from models.tasks.base import Picture, Sample, Task, TaskError, content_id, gather_task, register
from models.tasks.image import make_image
from models.tasks.reconstruction import GOOD, LABELS, Content, ReconstructionTask
from models.tasks.vqa import make_vqa

GOOD_PSNR_DB = 30.0
"""Assumption: 30 dB is where a lossy 8-bit picture is commonly called good."""


@register("picture-reconstruction")
def make_pictures() -> Task:
    """Return the task on easy-VQA's pictures."""
    return _make("picture-reconstruction", make_vqa())


@register("image-reconstruction")
def make_photos() -> Task:
    """Return the task on CIFAR-10's photos."""
    return _make("image-reconstruction", make_image())


def measure(sample: Sample, content: Content) -> Mapping[str, float]:
    """Return PSNR in dB and MS-SSIM of a received picture."""
    from models.fidelity import ms_ssim, psnr_db

    if sample.picture is None or not isinstance(content, Picture):
        raise TaskError(f"sample {sample.id}: only a picture can be compared with a picture")
    return {
        "psnr_db": psnr_db(sample.picture, content),
        "ms_ssim": ms_ssim(sample.picture, content),
    }


def _make(name: str, source: Task) -> Task:
    plain = gather_task(name, LABELS, _pictures(source.splits.items()), "image")
    fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(Task)}
    guess = functools.cache(lambda: _mean_colour(plain.train))
    return ReconstructionTask(**fields, good_from=GOOD_PSNR_DB, guess=guess, measure=measure)


def _pictures(
    splits: Iterable[tuple[str, tuple[Sample, ...]]],
) -> Iterator[tuple[Sample, str]]:
    for split, samples in splits:
        for picture in dict.fromkeys(sample.picture for sample in samples):
            if picture is not None:
                yield Sample(content_id("", picture), "", GOOD, picture), split


def _mean_colour(samples: Iterable[Sample]) -> Picture:
    import numpy as np  # a scenario is read without it

    pictures = [sample.picture for sample in samples if sample.picture is not None]
    colours = [np.frombuffer(p.pixels, np.uint8).reshape(-1, 3).mean(0) for p in pictures]
    colour = np.mean(colours, 0).round().astype(np.uint8).tobytes()
    width, height = pictures[0].width, pictures[0].height
    return Picture(width, height, colour * (width * height))
