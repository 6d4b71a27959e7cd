# SPDX-License-Identifier: MIT
"""The report: its data from hand-made runs, and the page in a headless browser."""

import json
import re
import shutil
import subprocess

import pandas as pd
import pytest

from analysis.campaign_figure import plot_campaign
from analysis.report import write_report
from analysis.report.compare import campaign_data, compare_runs
from analysis.report.page import page
from analysis.report.run_data import run_data
from cosim.traces import Manifest, TraceError

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
LAYOUT = {"cells_m": [[0.0, 0.0, 10.0]], "ues_m": [[50.0, 20.0, 1.5], [-30.0, 40.0, 1.5]],
          "serving_cell": [0, 0]}  # fmt: skip


@pytest.fixture
def run(handmade):
    Manifest.read(handmade).update(facts={"layout": LAYOUT})
    return handmade


@pytest.fixture
def campaign(tmp_path_factory):
    """Two schedulers, three seeds, one failed run."""
    folder = tmp_path_factory.mktemp("campaign")
    accuracy = {("pf", 1): 0.5, ("pf", 2): 0.6, ("pf", 3): 0.7, ("rr", 1): 0.6, ("rr", 2): 0.7}
    rows = [
        {"run": f"{s}{n}", "seed": n, "mac.scheduler": s, "status": "finished", "reason": None,
         "task": "topic", "codec": "raw", "rung": "default", "accuracy": a, "goodput_hz": 2 * a}
        for (s, n), a in accuracy.items()
    ]  # fmt: skip
    rows.append({"run": "rr3", "seed": 3, "mac.scheduler": "rr", "status": "failed",
                 "reason": "no <memory> left"})  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "results.parquet")
    definition = {"name": "two schedulers", "definition": {}, "fields": ["mac.scheduler"],
                  "runs": [{}] * 6}  # fmt: skip
    (folder / "campaign.json").write_text(json.dumps(definition))
    return folder


def test_a_runs_data_by_hand(run):
    data = run_data(run)
    json.dumps(data, allow_nan=False)
    ul = next(s for s in data["throughput"] if s["ue"] == 1)
    # 250 bytes at 0.3 s in bins of 2.1 s / 60 = 35 ms: 2000 bit / 35 ms
    assert sum(ul["y"]) == pytest.approx(2000 / 0.035 / 1e6, rel=1e-5)
    assert ul["y"][int(0.3 / 0.035)] > 0
    together = next(s for s in data["accuracy"] if s["ue"] is None and s["task"] == "sentiment")
    assert together["y"][-1] == pytest.approx(0.6)
    assert data["map"]["ues"][0]["dl"] == pytest.approx(10.5)
    assert data["grid"]["lost"] == [0, 1, 0, 0, 1] and data["grid"]["again"] == [0, 0, 1, 0, 0]
    assert data["messages"]["shown"] == 6 and data["messages"]["t_decoded_s"][4] is None
    assert sum(sum(s["y"]) for s in data["rungs"]) == 6


def test_warnings_name_what_is_wrong(run, make_run):
    assert "No truth replay" in run_data(run)["warnings"][0]
    manifest = Manifest.read(run)
    counters = [{"ue": 1, "direction": "ul", "phy": 10, "retransmitted": 0, "padding": 0,
                 "mac_header": 1, "rlc_header": 1, "pdcp_header": 1, "sdu_sent": 6,
                 "sdu_delivered": 6, "sdu_lost": 0, "sdu_in_flight": 0, "ip_udp_header": 2,
                 "app_delivered": 4}]  # fmt: skip
    waited = {"stall_s": 7.0, "start_stall_s": 4.0}  # 3 s after the start
    manifest.update(counters=counters, channel=waited, wall={"total_s": 10.0})
    words = " ".join(run_data(run)["warnings"])
    # 10 is not 0 + 0 + 3 + 6
    assert "do not add up from the air to the application: UE 1 ul" in words
    assert "waited 3.00 s of 10.0 s" in words
    counters[0]["phy"] = 9
    manifest.update(counters=counters, truth_replay={"blocks": 1})
    assert "Oracle" not in " ".join(run_data(run)["warnings"])
    assert "The run is running" in " ".join(run_data(make_run(finish=False))["warnings"])


def test_a_run_without_optional_tables_has_a_report(make_run, tmp_path):
    for changes in ({"with_slots": False}, {"with_rows": False}):
        data = run_data(make_run(**changes))
        assert data["grid"] is None and data["map"] is None


def test_runs_are_compared_with_an_interval(run, make_run):
    rows = compare_runs([run_data(run), run_data(make_run())])
    assert {row["answer"] for row in rows} == {"sentiment llm-token default",
                                               "topic raw-text default"}  # fmt: skip
    difference = rows[0]["difference"]
    assert difference["mean"] == 0.0 and difference["low"] < 0 < difference["high"]


def test_a_campaigns_settings_are_paired_by_seed(campaign):
    data = campaign_data(campaign)
    assert data["finished"] == 5 and data["failed"][0]["reason"] == "no <memory> left"
    rows = {(r["setting"][0], r["metric"]): r for r in data["rows"]}
    pf = rows[("pf", "accuracy")]
    # 0.5, 0.6, 0.7: s = 0.1, t(0.975, 2) = 4.302653: 0.6 ± 0.248414
    assert pf["mean"] == pytest.approx(0.6) and pf["low"] == pytest.approx(0.6 - 0.248414, abs=1e-6)
    # seeds 1 and 2 in both: 0.1 better each time
    rr = rows[("rr", "accuracy")]["difference"]
    assert rr["n"] == 2 and rr["mean"] == pytest.approx(0.1) and rr["low"] == pytest.approx(0.1)


def test_nothing_in_the_data_becomes_markup():
    text = page("<b>", {"parts": [], "x": "</script><script>alert(1)</script><!--"})
    assert "<b>" not in text and "alert(1)</script" not in text and text.count("</script>") == 2


def test_the_page_loads_nothing(run):
    text = write_report([run]).read_text()
    assert not re.search(r"""(src|href)\s*=|@import|url\(|fetch\(|XMLHttp""", text)
    assert "default-src 'none'" in text and len(text) < 400_000


def test_what_is_no_folder_of_ours_is_said(tmp_path):
    with pytest.raises(TraceError, match="not the folder of a run"):
        write_report([tmp_path])
    with pytest.raises(TraceError, match="needs the folder"):
        write_report([])


def test_paper_figures(campaign, tmp_path):
    paths = plot_campaign(campaign, "accuracy")
    assert [p.name for p in paths] == ["figure-accuracy.pdf", "figure-accuracy.svg"]
    assert paths[0].read_bytes().startswith(b"%PDF") and b"Type3" not in paths[0].read_bytes()
    before = [p.read_bytes() for p in paths]
    assert [p.read_bytes() for p in plot_campaign(campaign, "accuracy")] == before
    with pytest.raises(TraceError, match="no column of numbers; they are seed, accuracy"):
        plot_campaign(campaign, "acuracy")
    with pytest.raises(TraceError, match="formats are png, svg, pdf"):
        plot_campaign(campaign, formats=("gif",))


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_draws_everything_and_filters_work(run, make_run, campaign, tmp_path):
    path = write_report([run, make_run(), campaign], tmp_path / "report.html")
    result = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr",
         "--virtual-time-budget=5000", "--dump-dom", path.as_uri() + "#selftest"],
        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    head = re.search(r"<html[^>]*>", result.stdout)
    assert head, result.stderr[-2000:]
    drawn = int(re.search(r'data-drawn="(\d+)"', head[0])[1])
    assert 'data-errors=""' in head[0], head[0]
    assert "CONSOLE" not in result.stderr, result.stderr[-2000:]
    # throughput, accuracy, distributions, grid, messages and rungs of two runs, a map, a campaign
    assert drawn >= 14
    before, kinds, tried = map(int, re.search(r'data-selftest="(.*?)"', head[0])[1].split())
    assert before > 10 and tried > 10 and kinds > 3
    assert "no &lt;memory&gt; left" in result.stdout and "Newcombe" in result.stdout
