# SPDX-License-Identifier: MIT
"""What a round trip over ns3-ai's message interface costs, by elements and as arrays.

    cmake -S . -B build/editable -DCOSIM_BUILD_TESTS=ON && cmake --build build/editable
    python benchmarks/bridge/ns3ai.py --steps 20000

The program and the pybind11 module are those of the interface's tests: a thermostat in C++ whose
heater is Python. Timed in Python from the first message to the last answer; a struct has 12 or 16
bytes. ns3-ai itself is not measured here: it waits in a spin without a limit on either side.
"""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ns3ai_utils import Experiment

PEERS = Path(__file__).parents[2] / "build/editable/test-bin"
MODULE = "ns3ai_test_module"


def load_module() -> Any:
    """Import the users' pybind11 module from the build folder."""
    found = sorted(PEERS.glob(f"{MODULE}*.so"))
    if not found:
        sys.exit(f"no {MODULE} in {PEERS}: build it first, as the head of this file says")
    spec = importlib.util.spec_from_file_location(MODULE, found[0])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_struct(msg: Any) -> None:
    env = msg.GetCpp2PyStruct()
    step = env.step
    msg.PyRecvEnd()
    msg.PySendBegin()
    act = msg.GetPy2CppStruct()
    act.step, act.power = step, 1.0
    msg.PySendEnd()


def by_elements(msg: Any) -> None:
    env = msg.GetCpp2PyVector()
    steps = [(env[i].step, env[i].temperature)[0] for i in range(len(env))]
    msg.PyRecvEnd()
    msg.PySendBegin()
    act = msg.GetPy2CppVector()
    if len(act) != len(steps):
        act.resize(len(steps))
    for i, step in enumerate(steps):
        act[i].step, act[i].power = step, 1.0
    msg.PySendEnd()


def by_arrays(msg: Any) -> None:
    steps = msg.Cpp2PyArray()["step"].copy()
    msg.PyRecvEnd()
    msg.PySendBegin()
    act = msg.GetPy2CppVector()
    if len(act) != len(steps):
        act.resize(len(steps))
    answers = msg.Py2CppArray()
    answers["step"], answers["power"] = steps, 1.0
    msg.PySendEnd()


def measure(module: Any, answer: Callable[[Any], None], vector: int, steps: int) -> float:
    """Return microseconds a round trip, and check that the simulation ran to its end."""
    experiment = Experiment(
        MODULE.replace("module", "program"), str(PEERS), module, handleFinish=True,
        useVector=vector > 0, vectorSize=vector or None,
    )  # fmt: skip
    msg = experiment.run(setting={"steps": steps, "vector": vector})
    msg.PyRecvBegin()
    start, turns = time.perf_counter(), 0
    while not msg.PyGetFinished():
        answer(msg)
        turns += 1
        msg.PyRecvBegin()
    took = time.perf_counter() - start
    assert turns == steps, f"{turns} of {steps} messages"
    return 1e6 * took / steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    module = load_module()
    cores = sorted(os.sched_getaffinity(0))
    for words, place in {"two cores": cores[:2], "one core": cores[:1]}.items():
        os.sched_setaffinity(0, place)
        for name, answer, vector in [
            ("one struct", by_struct, 0),
            ("64 structs by elements", by_elements, 64),
            ("64 structs as an array", by_arrays, 64),
        ]:
            least = min(
                measure(module, answer, vector, options.steps) for _ in range(options.repeat)
            )
            print(f"{words}: {name:26s} {least:8.2f} us a round trip", flush=True)


if __name__ == "__main__":
    main()
