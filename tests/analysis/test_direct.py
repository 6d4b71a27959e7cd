# SPDX-License-Identifier: MIT
"""The sentence about bits and symbols."""

from analysis.direct import sentence


def test_what_was_delivered_unchecked_is_said():
    nothing = {"blocks": 0, "bits": 0, "bit_error_rate": None, "values": 0,
               "mean_squared_error": None}  # fmt: skip
    assert sentence(None) == sentence(nothing) == ""
    bits = nothing | {"bits": 8000, "bit_error_rate": 0.0125}
    assert sentence(bits) == "Delivered unchecked: 8000 bits, 0.013 of them wrong."
    both = bits | {"values": 50, "mean_squared_error": 0.25}
    assert sentence(both).endswith("; 50 values as symbols, mean squared error 0.25.")
