# SPDX-License-Identifier: MIT
"""Splits, priors and the two tasks on their real data."""

import pytest

from models.tasks import Sample, Task, TaskError, get_task, register, task_names
from models.tasks import base as tasks_base
from models.tasks.base import build_task, content_id, split_of
from models.tasks.topic import MAX_WORDS


def samples(labels):
    return tuple(Sample(f"{i:016x}", str(i), label) for i, label in enumerate(labels))


def test_the_prior_is_the_training_splits_commonest_label_and_is_scored_on_test():
    task = Task("t", ("a", "b", "c"), samples([2, 1, 2, 0]), samples([0]), samples([2, 1, 1, 2, 0]))
    assert task.prior_label == 2
    assert task.prior_probability == 0.5
    assert task.prior_accuracy == 0.4  # 2 of 5, though 1 is as common there


def test_a_tie_goes_to_the_lower_label():
    assert Task("t", ("a", "b"), samples([1, 0]), samples([0]), samples([0])).prior_label == 0


def test_splits_depend_on_the_text_alone():
    shares = (0.5, 0.25, 0.25)
    # the first 8 hexadecimal digits over 2**32: 0x7fffffff is just below one half, 0xc0000000 3/4
    assert split_of("7fffffff00000000", shares) == "train"
    assert split_of("8000000000000000", shares) == "validation"
    assert split_of("c000000000000000", shares) == "test"


def test_a_text_that_is_in_two_splits_is_only_tested_on():
    rows = [(str(i), 0, None) for i in range(40)]
    trained = next(
        text for text, _, _ in rows if split_of(content_id(text), (0.7, 0.3, 0)) == "train"
    )
    task = build_task("t", ("a",), [*rows, (trained, 0, "test")], (0.7, 0.3, 0.0))
    assert [s.text for s in task.test] == [trained]
    assert trained not in [s.text for s in task.train]


def test_a_task_is_added_by_one_function():
    @register("mine")
    def make():
        return Task("mine", ("a", "b"), samples([0]), samples([0]), samples([1]))

    try:
        assert get_task("mine").prior_accuracy == 0.0
        assert "mine" in task_names()
    finally:
        del tasks_base._FACTORIES["mine"]
        get_task.cache_clear()


def test_an_unknown_task_lists_the_known_ones():
    with pytest.raises(TaskError, match=r"known: .*sentiment, .*topic"):
        get_task("sentimant")


@pytest.mark.parametrize("name", ["sentiment", "topic"])
def test_splits_share_no_text_and_every_label_is_in_each(name):
    task = get_task(name)
    texts = [{s.text for s in split} for split in task.splits.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    for split in task.splits.values():
        assert {s.label for s in split} == set(range(len(task.labels)))
        assert all(s.id == content_id(s.text) for s in split[:50])


def test_sentiment_is_the_whole_balanced_set():
    # 8530 sentences, half of each label by construction (Pang and Lee 2005); no text occurs twice.
    task = get_task("sentiment")
    everything = [s for split in task.splits.values() for s in split]
    assert len(everything) == 8530
    assert sum(s.label for s in everything) == 4265


def test_topic_posts_are_short_and_without_attribution_lines():
    task = get_task("topic")
    assert max(len(s.text.split()) for s in task.test) == MAX_WORDS
    # The commonest of six groups is comp.*: 5 of 20 newsgroups of nearly one size.
    assert task.labels[task.prior_label] == "computers"
    assert task.prior_accuracy == pytest.approx(5 / 20, abs=0.02)
    attributed = sum(" in article " in s.text and " writes " in s.text for s in task.test)
    assert attributed < 0.02 * len(task.test)
