# SPDX-License-Identifier: MIT
"""Looks at what a run needs on this machine, and says what to do about what is not there."""

import ctypes.util
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from cosim.traces.manifest import PACKAGES


@dataclass(frozen=True)
class Check:
    """One thing looked at.

    Attributes:
        required: without it no run is possible.
        detail: what was found.
        remedy: what to do, empty when all is well.
    """

    name: str
    ok: bool
    required: bool
    detail: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain types."""
        return asdict(self)


def examine() -> list[Check]:
    """Return all checks. None of them raises, and none imports torch, Sionna or transformers."""
    checks: list[Check] = []
    for look in (
        _python,
        _packages,
        _simulator,
        _bridge,
        _shared_memory,
        _assets,
        _ray_tracing,
        _optional_packages,
        _gpu,
    ):
        try:
            checks.extend(look())
        except Exception as error:  # a check must never be what fails
            checks.append(
                Check(
                    look.__name__.strip("_"),
                    False,
                    False,
                    f"could not be examined: {error}",
                    "report it",
                )
            )
    return checks


def _python() -> Iterator[Check]:
    good = sys.version_info >= (3, 11) and sys.platform == "linux"
    yield Check(
        "python",
        good,
        True,
        f"Python {platform.python_version()} on {platform.platform()}",
        "" if good else "use Python 3.11 or newer on Linux",
    )


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        version = _version(name)
        # A checkout that is run in place is not installed and needs not be.
        required = name != "semcosim"
        yield Check(
            name,
            version is not None,
            required,
            version or "not installed",
            ""
            if version
            else ("pip install ." if required else "only needed outside the checkout"),
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def simulator_path() -> Path | None:
    """Return where the ns-3 executable is expected: $COSIM_NS3, else in the package."""
    override = os.environ.get("COSIM_NS3")
    if override:
        found = shutil.which(override)
        return Path(found or override)
    try:
        spec = importlib.util.find_spec("cosim.bridge._bridge")
    except ImportError:
        spec = None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent.parent / "bin" / "cosim-ns3"


def _simulator() -> Iterator[Check]:
    name = "ns-3 executable"
    path = simulator_path()
    if path is None or not path.is_file():
        where = "the bridge is not built" if path is None else f"{path} does not exist"
        yield Check(name, False, True, where, "run `make setup` or `pip install .`")
        return
    try:
        run = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        yield Check(name, False, True, f"{path}: {error}", "build it again: `pip install .`")
        return
    text = (run.stdout + run.stderr).strip().splitlines()
    first = text[0] if text else "no output"
    if run.returncode == 0:
        yield Check(name, True, True, f"{first} ({path})")
    else:
        yield Check(
            name,
            False,
            True,
            f"{path} --version ended with {run.returncode}: {first}",
            "build it again (`pip install .`); after a change of the ns3 package too",
        )


def _bridge() -> Iterator[Check]:
    try:
        importlib.import_module("cosim.bridge._bridge")
    except ImportError as error:
        yield Check("bridge", False, True, str(error), "run `make setup` or `pip install .`")
    else:
        yield Check("bridge", True, True, "compiled module loads")


def _shared_memory() -> Iterator[Check]:
    name = "shared memory"
    try:
        descriptor = os.memfd_create("cosim-doctor", os.MFD_CLOEXEC)
    except (OSError, AttributeError) as error:
        yield Check(name, False, True, f"memfd_create: {error}", "needs Linux 3.17 or newer")
        return
    try:
        size = 64 * 2**20
        os.ftruncate(descriptor, size)
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        yield Check(
            name,
            False,
            True,
            f"64 MiB: {error}",
            "raise the memory limit of this container or user",
        )
    else:
        yield Check(name, True, True, "memfd_create, 64 MiB")
    finally:
        os.close(descriptor)


def _assets() -> Iterator[Check]:
    from cosim import asset_commands

    name = "demo assets"
    try:
        missing = asset_commands.missing("demo")
    except Exception as error:
        yield Check(name, False, False, str(error), "run `cosim assets fetch --group demo`")
        return
    if missing:
        yield Check(
            name,
            False,
            False,
            f"not in the cache: {', '.join(missing)}",
            "run `cosim assets fetch --group demo` (`make demo` does)",
        )
    else:
        yield Check(name, True, False, "in the cache")


def _ray_tracing() -> Iterator[Check]:
    name = "ray tracing (LLVM)"
    given = os.environ.get("DRJIT_LIBLLVM_PATH")
    if given:
        good = Path(given).is_file()
        yield Check(
            name,
            good,
            False,
            f"DRJIT_LIBLLVM_PATH={given}" + ("" if good else " does not exist"),
            "" if good else "let it name libLLVM's file, version 17 or newer (libllvm19 works)",
        )
        return
    # find_library only looks: loading an old libLLVM would abort the process.
    found = [v for v in (21, 20, 19, 18, 17) if ctypes.util.find_library(f"LLVM-{v}")]
    if found:
        yield Check(name, True, False, f"libLLVM {found[0]}")
        return
    old = [v for v in (16, 15, 14) if ctypes.util.find_library(f"LLVM-{v}")]
    yield Check(
        name,
        False,
        False,
        f"only libLLVM {old[0]}, which aborts the process" if old else "no libLLVM found",
        "optional: apt-get install libllvm19; or let DRJIT_LIBLLVM_PATH name one",
    )


def _optional_packages() -> Iterator[Check]:
    for name, module, package in (
        ("LiteRT (rungs -litert)", "ai_edge_litert", "ai-edge-litert"),
        ("Dask (clusters)", "distributed", "distributed"),
    ):
        there = _has_module(module)
        yield Check(
            name,
            there,
            False,
            "installed" if there else "not installed",
            "" if there else f"optional: pip install {package}",
        )


def _gpu() -> Iterator[Check]:
    tool = shutil.which("nvidia-smi")
    detail = "none: models and channel run on the CPU"
    if tool:
        run = subprocess.run([tool, "-L"], capture_output=True, text=True, timeout=20, check=False)
        lines = run.stdout.strip().splitlines()
        if run.returncode == 0 and lines:
            yield Check("GPU", True, False, lines[0])
            return
        detail = "nvidia-smi finds none"
    yield Check("GPU", False, False, detail, "optional: nothing needs one")
