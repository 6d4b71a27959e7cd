# SPDX-License-Identifier: MIT
"""Programs written for ns3-ai's message interface, and the faults that they suffered from."""

import importlib.util
import os
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from ns3ai_utils import Experiment

from cosim.bridge import BridgeError
from tests.bridge.conftest import alive, bin_folder, peer_path, wait_until

PROGRAM = "ns3ai_test_program"


def load_module():
    name = "ns3ai_test_module"
    if name not in sys.modules:
        (path,) = bin_folder().glob(f"{name}*.so")
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def experiment(**options) -> Experiment:
    peer_path(PROGRAM)
    return Experiment(PROGRAM, str(bin_folder()), load_module(), handleFinish=True, **options)


def room(temperature: float, steps: int) -> float:
    """The recursion of ns3ai_test_program.cpp with the heater of `heat`."""
    for _ in range(steps):
        temperature += heat(temperature) - 0.1 * (temperature - 10.0)
    return temperature


def heat(temperature: float) -> float:
    return 1.0 if temperature < 19.0 else 0.25


def serve_struct(msg) -> list[float]:
    """Python's half, as ns3-ai's users write it."""
    seen = []
    while True:
        msg.PyRecvBegin()
        if msg.PyGetFinished():
            return seen
        env = msg.GetCpp2PyStruct()
        step, temperature = env.step, env.temperature
        msg.PyRecvEnd()
        seen.append(temperature)
        msg.PySendBegin()
        msg.GetPy2CppStruct().step = step
        msg.GetPy2CppStruct().power = heat(temperature)
        msg.PySendEnd()


def serve_vector(msg) -> list[int]:
    sizes = []
    while True:
        msg.PyRecvBegin()
        if msg.PyGetFinished():
            return sizes
        env = msg.GetCpp2PyVector()
        readings = [(env[i].step, env[i].temperature) for i in range(len(env))]
        msg.PyRecvEnd()
        sizes.append(len(readings))
        msg.PySendBegin()
        act = msg.GetPy2CppVector()
        if len(act) != len(readings):
            act.resize(len(readings))
        for i, (step, temperature) in enumerate(readings):
            act[i].step = step
            act[i].power = heat(temperature)
        msg.PySendEnd()


def test_structs(capfd):
    exp = experiment()
    assert serve_struct(exp.run(setting={"steps": 500}, show_output=True))[:2] == [20.0, 19.25]
    exp.kill()
    assert not exp.isalive()
    assert float(capfd.readouterr().out) == room(20.0, 500)


@pytest.mark.parametrize("rooms", [1, 64, 5000])
def test_vectors(rooms, capfd):
    exp = experiment(useVector=True, vectorSize=4, shmSize=4096)
    msg = exp.run(setting={"steps": 20, "vector": rooms}, show_output=True)
    assert len(msg.GetCpp2PyVector()) in (4, rooms)
    # 5000 structs of 16 bytes are more than shmSize: the memory grows.
    assert serve_vector(msg) == [rooms] * 20
    del exp, msg
    assert float(capfd.readouterr().out) == room(20.0 + rooms - 1, 20)


@pytest.mark.parametrize("rooms", [0, 64])
def test_arrays_are_the_shared_memory(rooms, capfd):
    vectors = {"useVector": True, "vectorSize": rooms} if rooms else {}
    exp = experiment(**vectors)
    msg = exp.run(setting={"steps": 30, "vector": rooms}, show_output=True)
    while True:
        msg.PyRecvBegin()
        if msg.PyGetFinished():
            break
        env = msg.Cpp2PyArray()
        assert len(env) == max(rooms, 1)
        temperatures, step = env["temperature"].copy(), env["step"][0]
        msg.PyRecvEnd()
        msg.PySendBegin()
        act = msg.Py2CppArray()
        act["step"] = step
        act["power"] = np.where(temperatures < 19.0, 1.0, 0.25)
        msg.PySendEnd()
    del exp, msg, env, act
    assert float(capfd.readouterr().out) == room(20.0 + max(rooms - 1, 0), 30)


def test_a_vector_that_cannot_fit_is_an_error_at_once():
    exp = experiment(useVector=True, vectorSize=4)
    with pytest.raises(RuntimeError, match=r"at most \d+ fit: give Experiment\(shmSize"):
        exp.msgInterface.GetCpp2PyVector().resize(1 << 40)
    with pytest.raises(IndexError, match="element 4 of a vector of 4"):
        exp.msgInterface.GetCpp2PyVector()[4]
    assert len(exp.msgInterface.GetCpp2PyVector()) == 4


def test_the_wrong_kind_of_interface_is_named():
    with pytest.raises(BridgeError, match="useVector=True needs vectorSize"):
        experiment(useVector=True)
    exp = experiment()
    with pytest.raises(RuntimeError, match="a vector of an interface of structs"):
        exp.msgInterface.GetCpp2PyVector()


def test_a_program_with_other_flags_says_so(capfd):
    exp = experiment()
    msg = exp.run(setting={"vector": 3})  # it opens vectors
    with pytest.raises(RuntimeError, match="has ended while PyRecvBegin"):
        msg.PyRecvBegin()
    exp.kill()
    assert "useVector flags differ: 1 in this program, 0 in the one" in capfd.readouterr().err


def test_two_experiments_at_once_with_the_same_names(capfd):
    exps = [experiment() for _ in range(3)]
    seen = {}
    threads = [
        threading.Thread(target=lambda i=i: seen.update({i: serve_struct(exps[i].run(
            setting={"steps": 200 + i}
        ))}))
        for i in range(3)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {i: len(values) for i, values in seen.items()} == {0: 200, 1: 201, 2: 202}
    assert all(values[:200] == seen[0] for values in seen.values())


def test_a_second_run_and_a_second_experiment_in_one_process():
    exp = experiment()
    for steps in (5, 0, 7):
        assert len(serve_struct(exp.run(setting={"steps": steps}))) == steps
    exp.run(setting={"steps": 5, "hang": 2})  # left in the middle
    assert exp.isalive()
    assert len(serve_struct(exp.run(setting={"steps": 3}))) == 3
    del exp
    assert len(serve_struct(experiment().run(setting={"steps": 4}))) == 4


def test_an_end_without_finish_handling_is_an_error_and_not_a_hang():
    exp = Experiment(PROGRAM, str(bin_folder()), load_module())
    msg = exp.run(setting={"steps": 2, "finish": 0})
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="the other half has ended"):
        serve_struct(msg)
    assert time.monotonic() - start < 2.0


def test_a_program_that_fails_at_start_is_noticed_within_a_second(capfd):
    exp = experiment()
    msg = exp.run(setting={"status": 3})
    start = time.monotonic()
    with pytest.raises(RuntimeError, match="has ended while PyRecvBegin"):
        msg.PyRecvBegin()
    assert time.monotonic() - start < 1.0
    exp.kill()
    assert "ended with 3:\nthe configuration is wrong" in capfd.readouterr().err


def test_a_killed_program_is_noticed_within_a_second():
    exp = experiment()
    msg = exp.run(setting={"steps": 5, "hang": 0})
    process = exp._running[0].process
    threading.Timer(0.2, os.kill, [process.pid, signal.SIGKILL]).start()
    start = time.monotonic()
    with pytest.raises(RuntimeError, match=rf"the other process \({process.pid}\) has ended"):
        msg.PyRecvBegin()
    assert time.monotonic() - start < 1.2


SCRIPT = """
    import sys
    sys.path.insert(0, {bin!r})
    import ns3ai_test_module
    from ns3ai_utils import Experiment
    exp = Experiment("ns3ai_test_program", {bin!r}, ns3ai_test_module, handleFinish=True)
    msg = exp.run(setting=dict(steps=5, hang={hang}), show_output=True)
    print(exp._running[0].process.pid, flush=True)
    if {hang} == 99:
        import time; time.sleep(60)
    msg.PyRecvBegin()
"""


def script(tmp_path, hang: int) -> tuple[subprocess.Popen, int]:
    code = textwrap.dedent(SCRIPT).format(bin=str(bin_folder()), hang=hang)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=(tmp_path / "err").open("wb"),
        text=True,
    )
    return process, int(process.stdout.readline())


@pytest.mark.parametrize("hang", [0, 99], ids=["computing", "waiting"])
def test_a_killed_python_ends_the_program_within_a_second(tmp_path, hang):
    process, pid = script(tmp_path, hang)
    time.sleep(0.2)
    process.kill()
    process.wait()
    wait_until(lambda: not alive(pid), 1.0)
    assert "has ended" in (tmp_path / "err").read_text()
    process.stdout.close()


def test_ctrl_c_interrupts_python_while_it_waits(tmp_path):
    process, pid = script(tmp_path, 0)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    start = time.monotonic()
    process.wait(5)
    assert time.monotonic() - start < 2.0
    assert process.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in (tmp_path / "err").read_text()
    wait_until(lambda: not alive(pid), 1.0)
    process.stdout.close()


def test_other_threads_run_and_no_core_burns_while_python_waits():
    exp = experiment()
    msg = exp.run(setting={"steps": 5, "hang": 0})
    ticks = []
    threading.Thread(
        target=lambda: [(time.sleep(0.05), ticks.append(1)) for _ in range(10)]
    ).start()
    threading.Timer(1.0, exp._running[0].process.kill).start()
    before = time.process_time()
    with pytest.raises(RuntimeError):
        msg.PyRecvBegin()
    assert time.process_time() - before < 0.1
    assert len(ticks) == 10


def test_a_limit_on_every_wait_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("COSIM_NS3AI_TIMEOUT_S", "0.2")
    exp = experiment()
    msg = exp.run(setting={"steps": 5, "hang": 0})
    with pytest.raises(RuntimeError, match="waited longer than COSIM_NS3AI_TIMEOUT_S"):
        msg.PyRecvBegin()


def test_a_turn_out_of_order_is_an_error():
    exp = experiment()
    msg = exp.msgInterface
    with pytest.raises(RuntimeError, match=r"PyRecvEnd\(\) without Begin"):
        msg.PyRecvEnd()
    msg.PySendBegin()
    msg.PySendEnd()
    with pytest.raises(RuntimeError, match=r"PySendEnd\(\) without Begin"):
        msg.PySendEnd()


def test_a_forked_child_cannot_use_it():
    exp = experiment()
    msg = exp.run(setting={"steps": 3})
    child = os.fork()
    if child == 0:
        try:
            msg.PyRecvEnd()
        except RuntimeError as error:
            os._exit(0 if "forked child" in str(error) else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(serve_struct(msg)) == 3


def test_the_script_of_an_ns3_tree_starts_the_program(tmp_path, capfd):
    tree = tmp_path / "ns-3-dev"
    tree.mkdir()
    (tree / "ns3").write_text(
        "import subprocess, sys\nassert sys.argv[1] == 'run'\n"
        f"words = sys.argv[2].split()\nassert words[0] == 'thermostat'\n"
        f"sys.exit(subprocess.run([{peer_path(PROGRAM)!r}, *words[1:]]).returncode)\n"
    )
    exp = Experiment("thermostat", tree, load_module(), handleFinish=True)
    assert len(serve_struct(exp.run(setting={"steps": 6}))) == 6
    msg = exp.run(setting={"steps": 6, "hang": 0})
    pid = 0

    def joined() -> bool:
        nonlocal pid
        pid = exp._bridge._native.pid(0)
        return pid not in (0, exp._running[0].process.pid)

    wait_until(joined, 10.0)
    os.kill(pid, signal.SIGKILL)  # the program, not the script
    with pytest.raises(RuntimeError, match="has ended"):
        msg.PyRecvBegin()


def test_a_program_that_is_not_there_is_named(tmp_path):
    exp = Experiment("no-such-program", tmp_path, load_module())
    with pytest.raises(BridgeError, match="there is no program 'no-such-program'"):
        exp.run()
    (tmp_path / "text").write_text("not executable")
    assert not (tmp_path / "text").stat().st_mode & stat.S_IXUSR


def test_halves_started_by_hand_meet_by_their_names():
    module = load_module()
    names = ("Seg", "c2p", "p2c", "lock")
    msg = module.Ns3AiMsgInterfaceImpl(True, False, True, 4096, *names)
    with pytest.raises(RuntimeError, match="another process uses memory with the names 'Seg'"):
        module.Ns3AiMsgInterfaceImpl(True, False, True, 4096, *names)
    other = module.Ns3AiMsgInterfaceImpl(False, False, True, 4096, *names)
    msg.PySendBegin()
    msg.GetPy2CppStruct().power = 7.5
    msg.PySendEnd()
    assert other.GetPy2CppStruct().power == 7.5
    del other, msg
    with pytest.raises(RuntimeError, match="nobody made memory with the names 'Seg'"):
        module.Ns3AiMsgInterfaceImpl(False, False, True, 4096, *names)


def test_the_program_alone_says_who_must_start_it():
    result = subprocess.run(
        [peer_path(PROGRAM)], env={}, capture_output=True, text=True, timeout=10, check=False
    )
    assert result.returncode == -signal.SIGABRT
    assert "start this program from Python with ns3ai_utils.Experiment" in result.stderr


def test_headers_are_where_programs_look():
    assert (Path(__file__).parents[2] / "cosim/bridge/include/ns3/ai-module.h").is_file()
