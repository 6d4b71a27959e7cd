# SPDX-License-Identifier: MIT
"""A stranger's way to the bridge: the CMake package and the template project."""

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cosim.bridge.__main__ import main
from cosim.bridge.paths import cmake_dir, include_dir
from tests.bridge.conftest import ROOT

pytestmark = pytest.mark.slow
# The package of the build requirements, which need not be on the PATH.
CMAKE = shutil.which("cmake", path=Path(sys.executable).parent) or shutil.which("cmake") or "cmake"
NS3 = Path(str(importlib.metadata.distribution("ns3").locate_file("ns3")))


def call(*command: str | Path, cwd: Path, fails: bool = False) -> str:
    result = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=240, check=False
    )
    output = result.stdout + result.stderr
    assert (result.returncode != 0) is fails, output[-3000:]
    return output


def configure(folder: Path, *options: str, fails: bool = False) -> str:
    python = f"-DPython_EXECUTABLE={sys.executable}"
    command = [CMAKE, "-S", ".", "-B", "build", "-G", "Unix Makefiles", python, *options]
    return call(*command, cwd=folder, fails=fails)


@pytest.fixture
def project(tmp_path, capsys):
    assert main(["--copy-template", str(tmp_path / "mine")]) == 0
    assert "is yours" in capsys.readouterr().out
    return tmp_path / "mine"


def test_the_template_is_copied_built_and_run(project):
    configure(project, "-DCMAKE_BUILD_TYPE=Debug")
    call(CMAKE, "--build", "build", "-j2", cwd=project)
    words = call(sys.executable, "main.py", cwd=project).split()
    # The rate rises by 0.1 Mbit/s each 0.1 s from 1 Mbit/s and reaches the link's 5 Mbit/s, less
    # headers (PPP 2, IP 20, UDP 8 of 1030 bytes), after 3.8 s: until then nothing queues, and
    # sum_{k=0}^{37} (1 + 0.1 k) Mbit/s x 0.1 s / 8 = 1.35 MB are sent. The link's rate for 5 s
    # would be 5e6 x 5 / 8 x 1000/1030 = 3.03 MB.
    delivered, sent = float(words[1]), float(words[3])
    assert 1.35e6 < delivered <= sent < 3.03e6
    # The Python types are those of the C++ structs: three doubles, one double, by hand.
    spec = importlib.util.spec_from_file_location("records", project / "build/records.py")
    records = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(records)
    assert records.Observation.names == ("t_s", "throughput_bps", "backlog_bytes")
    assert records.Observation.itemsize == 24
    assert records.Decision.itemsize == 8
    assert set(records.SCHEMA_HASHES) == {"Observation", "Decision"}


def test_an_ns3_tree_of_ones_own_is_found(project, tmp_path):
    # What `./ns3 build` leaves in a source tree: build/include, libraries named after the profile.
    library = tmp_path / "ns-3.44/build/lib"
    library.mkdir(parents=True)
    (library.parent / "include").symlink_to(NS3 / "include")
    for path in (NS3 / "lib64").glob("libns3.44-*.so"):
        (library / f"{path.stem}-default.so").symlink_to(path)
    configure(project, f"-DNS3_PREFIX={tmp_path / 'ns-3.44'}")
    cache = (project / "build/CMakeCache.txt").read_text()
    assert f"Ns3_LIBRARY_DIR:PATH={library}" in cache
    makefile = (project / "build/CMakeFiles/own-program.dir/link.txt").read_text()
    assert f"{library}/libns3.44-point-to-point-default.so" in makefile
    # The same build folder goes back to the wheel when asked.
    configure(project, "-DNS3_PREFIX=")
    assert f"Ns3_LIBRARY_DIR:PATH={library}" not in (project / "build/CMakeCache.txt").read_text()
    words = configure(project, f"-DNS3_PREFIX={tmp_path / 'nothing'}", fails=True)
    assert "build ns-3 there first" in " ".join(words.split())


def test_a_module_that_ns3_has_not_is_named(project):
    text = (project / "CMakeLists.txt").read_text()
    (project / "CMakeLists.txt").write_text(text.replace("internet point", "internett point"))
    words = " ".join(configure(project, fails=True).split())
    assert "no module 'internett'" in words
    assert "point-to-point" in words


def test_a_template_overwrites_nothing(tmp_path, capsys):
    assert main(["--copy-template", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_folders_are_printed(capsys):
    assert main(["--cmake-dir"]) == 0
    assert main(["--include-dir"]) == 0
    assert capsys.readouterr().out.split() == [str(cmake_dir()), str(include_dir())]
    assert (cmake_dir() / "cosim-config.cmake").is_file()


def test_the_bridges_headers_need_neither_ns3_nor_python():
    for path in (ROOT / "cosim/bridge/include").rglob("*.h*"):
        if path.name == "arrays.hpp":
            continue  # for pybind11 modules alone
        for line in path.read_text().splitlines():
            if line.startswith("#include"):
                assert "ns3/" not in line, path
                assert "Python.h" not in line and "pybind11" not in line, path


THERMOSTAT_CMAKE = """
cmake_minimum_required(VERSION 3.22)
project(thermostat LANGUAGES CXX)
find_package(cosim REQUIRED)
cosim_add_ns3_program(thermostat SOURCES ns3ai_in_ns3.cc)
cosim_add_ns3ai_module(ns3ai_test_module SOURCES ns3ai_test_module.cpp)
"""


def test_a_program_written_for_ns3ai_is_built_and_run(tmp_path):
    folder = tmp_path / "thermostat"
    shutil.copytree(ROOT / "tests/bridge/ns3ai", folder)
    (folder / "CMakeLists.txt").write_text(THERMOSTAT_CMAKE)
    configure(folder, f"-Dcosim_DIR={cmake_dir()}", "-DCMAKE_BUILD_TYPE=Debug")
    call(CMAKE, "--build", "build", "-j2", cwd=folder)
    script = """
import sys
sys.path.insert(0, "build")
import ns3ai_test_module as py_binding
from ns3ai_utils import Experiment

exp = Experiment("thermostat", ".", py_binding, handleFinish=True)
msg = exp.run(setting={"seconds": 12}, show_output=True)
temperatures = []
try:
    while True:
        msg.PyRecvBegin()
        if msg.PyGetFinished():
            break
        temperatures.append(msg.GetCpp2PyStruct().temperature)
        msg.PyRecvEnd()
        msg.PySendBegin()
        msg.GetPy2CppStruct().power = 0.5
        msg.PySendEnd()
finally:
    del exp
print(*temperatures)
"""
    words = call(sys.executable, "-c", script, cwd=folder).split()
    # Steps at 0.5 s, 1.5 s, … 11.5 s. T' = 0.9 T + 1.5 has its fixed point at 15:
    # T_n = 15 + 5 x 0.9^n.
    assert [float(word) for word in words] == pytest.approx([15 + 5 * 0.9**n for n in range(12)])
