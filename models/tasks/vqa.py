# SPDX-License-Identifier: MIT
"""Questions about a picture: easy-VQA, one coloured shape on 64 x 64 pixels, thirteen answers.

Data: V. Zhou, "easy-VQA", 2019, as packaged in easy-vqa. The data set's own test pictures are the
test split; the others are split by the picture's content, so that no picture is in two splits.
"""

import io
import json
import zipfile
from collections.abc import Iterator

from models.assets import locate
from models.tasks.base import Picture, Sample, Task, content_id, gather_task, register, split_of

_ASSET = "easy-vqa"
_FOLDER = "easy_vqa/data"
_SHARES = (0.9, 0.1, 0.0)


@register("vqa")
def make_vqa() -> Task:
    """Return the task."""
    with zipfile.ZipFile(locate(_ASSET)) as archive:
        answers = tuple(archive.read(f"{_FOLDER}/answers.txt").decode().split())
        return gather_task("vqa", answers, _samples(archive, answers), "image+text")


def _samples(archive: zipfile.ZipFile, answers: tuple[str, ...]) -> Iterator[tuple[Sample, str]]:
    from PIL import Image

    number_of = {answer: number for number, answer in enumerate(answers)}
    for part in ("test", "train"):
        pictures: dict[int, tuple[Picture, str]] = {}
        for question, answer, image in json.loads(archive.read(f"{_FOLDER}/{part}/questions.json")):
            if image not in pictures:
                data = archive.read(f"{_FOLDER}/{part}/images/{image}.png")
                with Image.open(io.BytesIO(data)) as opened:
                    picture = Picture(*opened.size, opened.convert("RGB").tobytes())
                pictures[image] = (picture, split_of(content_id("", picture), _SHARES))
            picture, split = pictures[image]
            sample = Sample(content_id(question, picture), question, number_of[answer], picture)
            yield sample, "test" if part == "test" else split
