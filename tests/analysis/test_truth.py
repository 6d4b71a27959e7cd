# SPDX-License-Identifier: MIT
"""What the summary says about truth replay."""

import pytest

from analysis.truth import sentence, verdict

FOUND = {
    "fraction": 0.001, "blocks": 20, "refused": 1, "repeats": 5, "errors": 20,
    "expected_errors": 10.0, "deviation_errors": 3.0, "bler_actual": 0.2, "bler_predicted": 0.1,
}  # fmt: skip


def test_the_verdict_by_hand():
    # 20 of 100, Wilson with z = 1.96: (0.2 + 0.0192 ± 1.96 sqrt(0.0016 + 0.000096)) / 1.0384
    found = verdict(FOUND)
    assert found["bler_low"] == pytest.approx(0.1334, abs=2e-4)
    assert found["bler_high"] == pytest.approx(0.2888, abs=2e-4)
    assert found["z"] == pytest.approx(10 / 3)
    assert sentence(found) == (
        "Truth replay of 20 blocks x 5: predicted BLER 0.100, actual 0.200 (95 % interval "
        "0.133-0.289), +3.3 standard deviations, 1 could not be sent."
    )


def test_retransmissions_are_a_sentence_of_their_own():
    again = FOUND | {"blocks": 4, "errors": 3, "expected_errors": 2.0, "deviation_errors": 1.0,
                     "bler_actual": 0.15, "refused": 0, "errors_before": 12,
                     "expected_again": 4.5}  # fmt: skip
    text = sentence(verdict(FOUND | {"retransmissions": again}))
    assert "could not be sent. Of 4 retransmissions x 5: predicted BLER 0.100, actual 0.150" in text
    assert (
        "+1.0 standard deviations; of 12 lost before, 0.250 were lost again, predicted 0.375."
        in text
    )
    none = again | {"blocks": 0, "errors": 0, "errors_before": 0}
    assert sentence(verdict(FOUND | {"retransmissions": none})) == sentence(verdict(FOUND))


@pytest.mark.parametrize("found", [None, {}, {"fraction": 0.0}])
def test_off_is_said(found):
    assert verdict(found) is None
    assert sentence(verdict(found)) == "Truth replay: off."


def test_no_block_is_said():
    none = {"fraction": 0.1, "blocks": 0, "repeats": 5, "errors": 0, "expected_errors": 0.0,
            "deviation_errors": 0.0, "bler_actual": None, "bler_predicted": None}  # fmt: skip
    assert sentence(verdict(none)) == "Truth replay: no block was chosen."
