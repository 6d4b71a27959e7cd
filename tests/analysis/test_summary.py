# SPDX-License-Identifier: MIT
"""The end table of a run made by hand, every number worked out."""

import io
import json

import pytest

from analysis.summary import render, summarise_run, summary_text, write_summary
from cosim.traces import TraceError


def answer(summary, task):
    return next(row for row in summary["answers"] if row["task"] == task)


def test_answers(handmade):
    row = answer(summarise_run(handmade), "sentiment")
    assert (row["codec"], row["rung"]) == ("llm-token", "default")
    assert (row["messages"], row["complete"], row["partial"], row["nothing"]) == (5, 3, 1, 1)
    assert (row["on_time"], row["correct"]) == (4, 3)
    assert row["accuracy"] == 0.6
    # Wilson for 3 of 5, z = 1.96: (0.6 + 0.38415) / 1.76829 = 0.55655 as the centre and
    # 1.95996 * sqrt(0.048 + 0.038415) / 1.76829 = 0.32583 as the half
    assert row["accuracy_low"] == pytest.approx(0.23072, abs=1e-4)
    assert row["accuracy_high"] == pytest.approx(0.88238, abs=1e-4)
    assert row["offline_accuracy"] == 0.8 and row["prior_accuracy"] == 0.6
    assert (row["units_sent"], row["units_received"]) == (20, 14)
    assert row["token_success_rate"] == 0.7
    assert row["bytes_per_message"] == 100.0
    # 150 + 150 + 250 + 150 + 50 = 750 bytes on air
    assert row["air_bytes_per_message"] == 150.0 and row["air_bytes_per_correct"] == 250.0
    assert row["energy_per_message_j"] == 0.5
    assert row["energy_per_correct_j"] == pytest.approx(2.5 / 3)
    # three right and in time in 2.1 s (2 s and 0.1 s of drain)
    assert row["goodput_hz"] == pytest.approx(3 / 2.1)
    # delays 10, 20, 30, 40 ms: p50 at position 1.5, p95 at 2.85, p99 at 2.97
    assert row["delay_ms_p50"] == pytest.approx(25.0)
    assert row["delay_ms_p95"] == pytest.approx(38.5)
    assert row["delay_ms_p99"] == pytest.approx(39.7)


def test_a_right_but_late_answer_is_no_goodput(handmade):
    row = answer(summarise_run(handmade), "topic")
    assert row["accuracy"] == 1.0 and row["on_time"] == 0 and row["goodput_hz"] == 0.0
    assert row["prior_accuracy"] == 0.0 and row["air_bytes_per_correct"] == 80.0


def test_links_losses_and_fairness(handmade):
    summary = summarise_run(handmade)
    zero, one = summary["links"]
    assert (zero["ue"], one["ue"]) == (0, 1)
    # 2500 and 500 bytes delivered to and from UE 0 in 2.1 s
    assert zero["throughput_dl_bps"] == pytest.approx(8 * 2500 / 2.1)
    assert zero["throughput_ul_bps"] == pytest.approx(8 * 500 / 2.1)
    assert one["throughput_dl_bps"] == 0.0
    # 1 of 4 transport blocks not decoded, 1 of 3 first transmissions
    assert zero["bler_dl"] == 0.25 and zero["bler_first_dl"] == pytest.approx(1 / 3)
    assert zero["mcs_mean_dl"] == 13.0 and zero["sinr_db_dl"] == 10.5
    assert zero["bler_ul"] is None
    assert one["bler_ul"] == 1.0 and one["mcs_mean_ul"] == 3.0 and one["sinr_db_ul"] == -1.0
    assert summary["losses"] == {"deadline": 1, "harq_exhausted": 2}
    # UE 0: 2 of 3 right; UE 1: 2 of 3 right. DL 2500 and 0 bytes; UL 500 and 250.
    assert summary["fairness"]["accuracy"] == pytest.approx(1.0)
    assert summary["fairness"]["throughput_dl"] == pytest.approx(0.5)
    assert summary["fairness"]["throughput_ul"] == pytest.approx(750**2 / (2 * (500**2 + 250**2)))


def test_without_slots_the_kpis_stand_in(make_run):
    zero, one = summarise_run(make_run(with_slots=False))["links"]
    assert zero["bler_dl"] == pytest.approx(0.2) and zero["mcs_mean_dl"] == 11.0
    assert zero["sinr_db_dl"] == 6.0 and zero["bler_first_dl"] is None
    assert one["bler_ul"] is None


def test_a_run_that_was_killed_is_summarised_up_to_its_last_row(make_run):
    summary = summarise_run(make_run(finish=False))
    assert summary["run"]["status"] == "running"
    assert summary["run"]["simulated_s"] == 1.7
    row = answer(summary, "sentiment")
    assert row["offline_accuracy"] == 0.8 and row["prior_accuracy"] is None
    assert row["goodput_hz"] == pytest.approx(3 / 1.7)


def test_a_run_without_rows_has_an_empty_summary(make_run):
    for finish in (True, False):
        summary = summarise_run(make_run(with_rows=False, finish=finish))
        assert summary["answers"] == [] and summary["links"] == [] and summary["losses"] == {}
        assert "Packets lost: none" in summary_text(summary)


def test_files_hold_the_summary(handmade):
    summary = summarise_run(handmade)
    write_summary(handmade, summary)
    assert json.loads((handmade / "summary.json").read_text()) == summary
    text = (handmade / "summary.txt").read_text()
    line = next(line for line in text.splitlines() if "sentiment llm" in line)
    numbers = "5 3 1 1 4 0.600 0.800 0.600 0.231-0.882"
    assert line.split()[2:] == numbers.split()
    assert "Packets lost: 1 deadline, 2 harq_exhausted" in text
    assert max(map(len, text.splitlines())) <= 108
    before = (handmade / "summary.json").read_bytes()
    write_summary(handmade, summarise_run(handmade))
    assert (handmade / "summary.json").read_bytes() == before


def test_narrow_terminals_cut_no_number(handmade):
    from rich.console import Console

    summary = summarise_run(handmade)
    stream = io.StringIO()
    Console(file=stream, width=80, color_system=None).print(*render(summary), sep="\n")
    words = stream.getvalue().split()
    assert max(map(len, stream.getvalue().splitlines())) <= 80
    for number in ("0.231-0.882", "250.0", "39.7", "10.5", "0.010", "1.43"):
        assert number in words


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(TraceError, match=r"run\.json"):
        summarise_run(tmp_path)
