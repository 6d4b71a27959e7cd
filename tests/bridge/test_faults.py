# SPDX-License-Identifier: MIT
"""What each side sees when the other one dies, stops, lies, or asks for too much."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from cosim.bridge import Bridge, BridgeError, PeerDied, Timeout
from tests.bridge.conftest import alive, kill, peer_path, serve_echo, wait_until

PYTHON_HOST = """
    import sys, time
    from cosim.bridge import Bridge
    bridge = Bridge.create()
    process = bridge.spawn({command!r}, stderr=open({stderr!r}, "wb"))
    bridge.wait_ready(20.0)
    print(process.pid, flush=True)
    {then}
"""


def host(tmp_path, *command: str, then: str = "time.sleep(60)") -> tuple[subprocess.Popen, int]:
    """Start a Python process that starts a peer; return it and the peer's number."""
    code = textwrap.dedent(PYTHON_HOST).format(
        command=[peer_path("bridge_peer"), *command], stderr=str(tmp_path / "err"), then=then
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("wait", ["wait", "receive"])
def test_python_notices_a_killed_program_within_a_second(started, wait):
    bridge = started("hang")
    threading.Timer(0.2, kill, [bridge.process]).start()
    start = time.monotonic()
    with pytest.raises(PeerDied, match="ended by SIGKILL"):
        bridge.wait(30.0) if wait == "wait" else bridge.exchange("echo").receive(30.0)
    assert time.monotonic() - start < 1.2


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("crash", "ended by SIGABRT"),
        ("leave", "without Bridge::Finish"),
        ("fail", "the simulated world ended"),
    ],
)
def test_python_says_how_the_program_ended(started, mode, words):
    bridge = started(mode)
    with pytest.raises(PeerDied, match=words):
        bridge.wait(5.0)
    with pytest.raises(PeerDied, match=words):
        bridge.exchange("echo").receive(5.0)


def test_a_program_that_ends_before_it_is_ready(started):
    with pytest.raises(PeerDied, match="status 7 before it was ready"):
        started("exit")


def test_a_program_that_never_joins(started):
    bridge = started("silent", ready=False)
    with pytest.raises(BridgeError, match=r"not ready after 0.3 s: does it call Bridge::Start"):
        bridge.wait_ready(0.3)


def test_a_loop_until_the_end_does_not_miss_an_error_between_two_waits(started):
    bridge = started("fail")

    def failed():
        try:
            return bridge.finished
        except PeerDied as error:
            return str(error)

    # No wait() sees it: the error comes after the last one.
    wait_until(failed, 5.0)
    with pytest.raises(PeerDied, match=failed()):
        bridge.finished  # noqa: B018 - a property that raises


def test_a_program_that_does_not_exist():
    with Bridge.create() as bridge, pytest.raises(BridgeError, match="cannot start /no/such"):
        bridge.spawn(["/no/such"])


@pytest.mark.parametrize("mode", [("echo", "1", "1"), ("stream", "100000", "8"), ("blocks",)])
def test_a_waiting_program_notices_its_killed_host_within_a_second(tmp_path, mode):
    process, pid = host(tmp_path, *mode)
    time.sleep(0.2)
    process.kill()
    process.wait()
    wait_until(lambda: not alive(pid), 1.0)
    assert "the engine's process has ended" in (tmp_path / "err").read_text()
    process.stdout.close()


def test_a_computing_program_does_not_outlive_its_killed_host(tmp_path):
    process, pid = host(tmp_path, "busy")
    process.kill()
    process.wait()
    wait_until(lambda: not alive(pid), 1.0)
    process.stdout.close()


def test_a_program_may_finish_its_own_work_after_the_end(started, tmp_path):
    with (tmp_path / "out").open("wb") as out:
        bridge = started("afterwards", stdout=out)
        bridge.wait(5.0)
        assert bridge.finished
        bridge.close(grace_s=5.0)
    assert (tmp_path / "out").read_text() == "written\n"


def test_a_program_started_from_a_thread_outlives_the_thread(tmp_path):
    # The kernel's parent-death signal would end it with the thread that started it.
    with Bridge.create() as bridge:
        thread = threading.Thread(
            target=bridge.spawn, args=([peer_path("bridge_peer"), "late", "100", "1"],)
        )
        thread.start()
        thread.join()
        time.sleep(0.1)
        bridge.wait_ready(20.0)
        assert serve_echo(bridge) == 100


def test_a_host_that_fails_tells_the_program(tmp_path):
    err = tmp_path / "err"
    with (
        err.open("wb") as stderr,
        pytest.raises(ZeroDivisionError),
        Bridge.create() as bridge,
    ):
        process = bridge.spawn([peer_path("bridge_peer"), "echo", "5", "1"], stderr=stderr)
        bridge.wait_ready(20.0)
        bridge.exchange("echo").receive(5.0)
        _ = 1 / 0
    assert process.returncode == 4
    assert "stopped the simulation: division by zero" in err.read_text()


def test_a_stopped_program_is_an_honest_wait_with_a_limit(started):
    bridge = started("soak", 30)
    serve = bridge.exchange("echo")
    kill(bridge.process, signal.SIGSTOP)
    time.sleep(0.1)
    start = time.monotonic()
    while bridge.wait(0.5):  # what came before the stop
        while len(bridge.stream("items").read()):
            bridge.stream("items").release()
        if serve.poll() is not None:
            break
    assert time.monotonic() - start < 1.5
    kill(bridge.process, signal.SIGCONT)


def test_a_stopped_host_is_an_honest_wait_with_a_limit(started, tmp_path):
    with (tmp_path / "out").open("wb") as out:
        bridge = started("timeout", stdout=out)
        exchange = bridge.exchange("echo")
        for number in range(3):
            request = exchange.receive(5.0)
            time.sleep(0.4 if number == 1 else 0.0)  # the program allows 0.2 s
            exchange.reply(1)["number"] = request["number"]
            exchange.send()
        assert exchange.receive(5.0) is None
        assert bridge.process.wait(5) == 0
    assert (tmp_path / "out").read_text() == "timeout\n"


def test_a_reader_that_never_reads_is_an_error_of_the_writer(started, tmp_path):
    with (tmp_path / "err").open("wb") as err:
        bridge = started("unread", 300, stderr=err)
        assert bridge.process.wait(5) == 5
    assert "waited too long for the host at channel 'items'" in (tmp_path / "err").read_text()
    with pytest.raises(PeerDied):
        bridge.exchange("echo").receive(5.0)
    # What was pushed before is still there.
    assert len(bridge.stream("items").read()) == 8


def test_ctrl_c_interrupts_python_while_it_waits(tmp_path):
    process, pid = host(tmp_path, "hang", then="bridge.exchange('echo').receive()")
    time.sleep(0.3)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.wait(5)
    assert time.monotonic() - start < 2.0  # of which the interpreter's own end takes most
    assert process.returncode == -signal.SIGINT  # Python's own end by an unhandled Ctrl-C
    wait_until(lambda: not alive(pid), 1.0)
    process.stdout.close()


def test_ctrl_c_ends_the_program(started):
    bridge = started("hang")
    kill(bridge.process, signal.SIGINT)
    with pytest.raises(PeerDied, match="ended by SIGINT"):
        bridge.wait(5.0)


def _use(bridge, answers):
    for use in (
        lambda: bridge.wait(1.0),
        lambda: bridge.exchange("echo").receive(1.0),
        lambda: bridge.exchange("echo").poll(),
        lambda: bridge.exchange("echo").send(),
    ):
        try:
            use()
            answers.put("worked")
        except BridgeError as error:
            answers.put(str(error))
    bridge.close()
    bridge.abort("from the child")
    answers.put("end")


def test_a_forked_child_cannot_use_its_parents_bridge(started):
    bridge = started("echo", 20, 1)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_use, args=(bridge, answers))
    child.start()
    said = [answers.get(timeout=10) for _ in range(5)]
    child.join()
    answers.close()
    answers.join_thread()
    assert said[-1] == "end"
    assert all("cannot be used in a forked child" in text for text in said[:-1])
    assert serve_echo(bridge) == 20  # and the parent's still works
    child.close()


def test_a_closed_bridge_says_so(started):
    bridge = started("hang")
    bridge.close(grace_s=0.0)
    with pytest.raises(BridgeError, match="is closed"):
        bridge.wait(1.0)


def test_sixteen_pairs_at_once():
    results, errors = [], []

    def pair() -> None:
        try:
            with Bridge.create() as bridge:
                bridge.spawn([peer_path("bridge_peer"), "echo", "300", "3"])
                bridge.wait_ready(60.0)
                results.append(serve_echo(bridge))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=pair) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert results == [300] * 16


def test_a_script_between_python_and_the_program(tmp_path):
    # Python's subprocess closes descriptors, as ns-3's own `ns3 run` does.
    script = tmp_path / "launch.py"
    script.write_text("import subprocess, sys\nsys.exit(subprocess.run(sys.argv[1:]).returncode)\n")
    with Bridge.create() as bridge:
        process = bridge.spawn(
            [sys.executable, str(script), peer_path("bridge_peer"), "echo", "20", "1"]
        )
        bridge.wait_ready(20.0)
        assert serve_echo(bridge) == 20
    assert process.returncode == 0
    with Bridge.create() as bridge:
        bridge.spawn([sys.executable, str(script), peer_path("bridge_peer"), "busy"])
        bridge.wait_ready(20.0)
        grandchild = bridge._native.pid(0)
    wait_until(lambda: not alive(grandchild), 1.0)


def test_a_program_under_a_debugger_attaches_by_name():
    name = f"test-{os.getpid()}"
    with Bridge.create(attach_name=name) as bridge:
        with pytest.raises(BridgeError, match="another process waits under the name"):
            Bridge.create(attach_name=name)
        program = subprocess.Popen(
            [peer_path("bridge_peer"), "echo", "20", "1"],
            env={**os.environ, "COSIM_BRIDGE_NAME": name},
        )
        bridge.wait_ready(20.0)
        assert serve_echo(bridge) == 20
    assert program.wait(5) == 0
    with Bridge.create(attach_name=name) as bridge:  # the name is free again
        program = subprocess.Popen(
            [peer_path("bridge_peer"), "hang"], env={**os.environ, "COSIM_BRIDGE_NAME": name}
        )
        bridge.wait_ready(20.0)
        program.kill()
        start = time.monotonic()
        with pytest.raises(PeerDied):
            bridge.wait(20.0)
        assert time.monotonic() - start < 1.0
        program.wait()


def test_a_name_left_by_a_killed_host_is_taken_over(tmp_path):
    name = f"test-{os.getpid()}"
    code = f"from cosim.bridge import Bridge; b = Bridge.create(attach_name={name!r}); " + (
        "import os; os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    with Bridge.create(attach_name=name) as bridge:
        assert bridge.fileno() >= 0


@pytest.mark.parametrize("name", ["", "a/b", "x" * 200])
def test_a_name_that_cannot_be(name):
    with pytest.raises(BridgeError, match="1 to 100 characters"):
        Bridge.create(attach_name=name)


def test_neither_side_burns_a_core_while_it_waits(started):
    bridge = started("hang")
    before = time.process_time()
    with pytest.raises(Timeout):
        bridge.exchange("echo").receive(1.0)
    assert time.process_time() - before < 0.05
    stat = Path(f"/proc/{bridge.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(stat[11]) + int(stat[12])  # utime, stime (proc_pid_stat(5))
    assert ticks / os.sysconf("SC_CLK_TCK") < 0.05
    bridge.abort("enough")
