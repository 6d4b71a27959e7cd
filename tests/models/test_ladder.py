# SPDX-License-Identifier: MIT
"""Measuring a codec's rungs: a curve worked out by hand, and the file that is written."""

import json
from types import SimpleNamespace

import pytest

from models.codecs import Decoded, EncodedMessage, Sample
from models.codecs import ladder as measuring
from models.codecs.ladder import main, measure_rung
from models.fingerprint import weights_fingerprint
from models.tasks import get_task

UNITS = 8


class Counting:
    """Sends eight units; a sample's text says with which numbers of them its answer is right."""

    def encode(self, samples, *, task, rung):
        units = tuple(bytes(rung) for _ in range(UNITS))
        return [EncodedMessage(s.id, "counting", task, rung, units, (1.0,) * UNITS, 1.0, 0.0)
                for s in samples]  # fmt: skip

    def decode(self, received, *, task, rung):
        rows = zip(received, self.right, strict=True)
        return [Decoded(int(str(len(m.units)) in right), 0.0, 0.5, True) for m, right in rows]


def test_a_curve_by_hand_never_falls(monkeypatch):
    #                            0   2   4   6   8 units arrived: answered as the label, 1
    texts = [
        "0 2 4 6 8",  #     1   1   1   1   1
        "4 6 8",  #         -   -   1   1   1
        "2",  #             -   1   -   -   -
        "2 8",  #           -   1   -   -   1
        "",
    ]  # fmt: skip    -   -   -   -   -
    # Right answers 1, 3, 2, 2, 3 of 5; the dip is levelled: 1, 3, 3, 3, 3.
    samples = [Sample(str(n), text, 1) for n, text in enumerate(texts)]
    unused = Sample("unused", "0 2 4 6 8", 1)
    task = SimpleNamespace(validation=(*samples, unused))
    monkeypatch.setattr(measuring, "get_task", lambda name: task)
    codec = Counting()
    codec.right = [text.split() for text in texts]
    found = measure_rung(codec, "a task that nobody knows", 3, 5)
    assert found == {
        "n": 5,
        "bytes_mean": 24.0,  # eight units of three bytes
        "units_mean": 8.0,
        "curve": [0.2, 0.6, 0.6, 0.6, 0.6],
    }


@pytest.mark.slow
def test_a_ladder_is_entered_beside_the_others(codecs, tmp_path, capsys):
    path = tmp_path / "ladders.json"
    path.write_text(json.dumps({"topic": {"x": 1}, "sentiment": {"y": 2}}))
    command = ["--task", "sentiment", "--codec", "llm-token", "--samples", "4"]
    main([*command, "--out", str(path)])
    ladders = json.loads(path.read_text())
    assert ladders["topic"] == {"x": 1} and ladders["sentiment"]["y"] == 2
    entry = ladders["sentiment"]["llm-token"]
    assert entry["weights"] == weights_fingerprint("llm-token", "sentiment")
    assert "d8-int4-top8" in entry["rungs"] and "default" not in entry["rungs"]
    codec = codecs["llm-token"]
    assert entry["codec"] == codec.fingerprint
    chosen = get_task("sentiment").validation[:4]
    tokens = [len(m.units) for m in codec.encode(chosen, task="sentiment", rung="d8-int4")]
    prior = sum(s.label == get_task("sentiment").prior_label for s in chosen) / 4
    for rung, unit_bytes in (("d8-int4", 5), ("d16-int4", 9), ("d32-int8", 33)):
        row = entry["rungs"][rung]
        # a byte for the position, and the values
        assert row["units_mean"] == sum(tokens) / 4
        assert row["bytes_mean"] == unit_bytes * sum(tokens) / 4
        assert row["curve"][0] == prior
        assert row["curve"] == sorted(row["curve"])
    assert entry["rungs"]["d8-int4-top8"]["units_mean"] == sum(min(n, 8) for n in tokens) / 4
    assert capsys.readouterr().out.count("sentiment llm-token") == len(entry["rungs"])
