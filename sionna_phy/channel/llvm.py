# SPDX-License-Identifier: MIT
"""Finds the LLVM library that ray tracing on the CPU compiles its kernels with.

Dr.Jit loads it at run time. With some versions (Debian's 15 and 16, measured) it aborts the process
instead of raising an error; hence versions are chosen here, and the ray tracer runs in a child.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

VARIABLE = "DRJIT_LIBLLVM_PATH"
PREFERRED = (19, 20, 21, 18, 17)
"""Versions in the order in which they are tried; 19 is the one that is tested."""
REMEDY = (
    "install LLVM 19 (Debian, Ubuntu: sudo apt-get install libllvm19) or let the environment "
    f"variable {VARIABLE} name its libLLVM.so"
)
FOLDERS = (
    "/usr/lib/*-linux-gnu", "/usr/lib/llvm-*/lib", "/usr/lib64", "/usr/lib", "/usr/local/lib",
)  # fmt: skip
_NAME = re.compile(r"libLLVM(?:-|\.so\.)(\d+)")


class LlvmError(RuntimeError):
    """No LLVM library that works; the text has the remedy."""


def find_llvm(folders: Iterable[str] = FOLDERS) -> Path:
    """Return the path of a library.

    Args:
        folders: where to look, with wildcards.

    Raises:
        LlvmError: none was found, or the variable names none.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise LlvmError(f"ray tracing: {VARIABLE}={named} is no file; {REMEDY}")
        return Path(named)
    found: dict[int, Path] = {}
    for folder in folders:
        for path in sorted(Path("/").glob(f"{folder.lstrip('/')}/libLLVM*.so*")):
            match = _NAME.match(path.name)
            if match and path.is_file():
                found.setdefault(int(match.group(1)), path)
    for version in PREFERRED:
        if version in found:
            return found[version]
    have = f"only {', '.join(map(str, sorted(found)))} are there" if found else "there is none"
    raise LlvmError(
        f"ray tracing on the CPU needs the LLVM library, {PREFERRED[-1]} or newer; {have}: {REMEDY}"
    )
