#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sets up a local environment in steps that make(1) remembers.
#   setup.sh dependencies|native|assets PYTHON VENV
set -euo pipefail
step=$1 python=$2 venv=$3
cd "$(dirname "$0")/.."
log=$venv/setup-$step.log

say() { printf '[setup] %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Runs a command with its output in the log; shows the log's end when it fails.
quietly() {
    if ! "$@" >>"$log" 2>&1; then
        tail -n 30 "$log" >&2
        fail "'$*' failed; the whole output is in $log"
    fi
}

check_tools() {
    local missing=()
    command -v "$python" >/dev/null || fail "$python is missing: sudo apt-get install python3 python3-venv python3-dev (or PYTHON=... make)"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version) is too old, 3.11 or newer is needed: sudo apt-get install python3.11 python3.11-venv python3.11-dev, then PYTHON=python3.11 make"
    command -v g++ >/dev/null || missing+=(g++)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || missing+=("python3-venv")
    "$python" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' ||
        missing+=("python3-dev")
    [ ${#missing[@]} -eq 0 ] || fail "missing on this machine: sudo apt-get install ${missing[*]}"
    [ "$(uname -s)" = Linux ] || fail "the bridge needs Linux (memfd, futex); use the Dockerfile on other systems"
}

install_torch() {
    # The CPU build. Plain 'torch' from PyPI would bring gigabytes of CUDA libraries with it.
    if [ -n "${TORCH:-}" ]; then
        quietly "$venv/bin/pip" install "$TORCH"
    elif ! "$venv/bin/pip" install "torch==2.13.0+cpu" >>"$log" 2>&1; then
        quietly "$venv/bin/pip" install "torch==2.13.0+cpu" --index-url https://download.pytorch.org/whl/cpu
    fi
}

case $step in
dependencies)
    check_tools
    say "Python environment in $venv (about 2.5 GB, a few minutes)"
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv" || fail "python -m venv failed: sudo apt-get install python3-venv"
    mkdir -p "$venv"; : >"$log"
    say "PyTorch (CPU build)"
    install_torch
    say "ns-3 libraries"
    # --no-deps: the wheel asks for cppyy, whose source build costs minutes and which nothing here uses.
    quietly "$venv/bin/pip" install --no-deps "ns3==3.44.post0"
    say "Sionna, transformers, pyarrow and the rest"
    "$venv/bin/python" scripts/requirements.py build dev cluster rl docs knowledge >"$venv/requirements.txt"
    quietly "$venv/bin/pip" install -c requirements/constraints.txt -r "$venv/requirements.txt"
    ;;
native)
    check_tools
    mkdir -p "$venv" build; : >"$log"
    say "compiling the bridge and the ns-3 executable"
    PATH="$PWD/$venv/bin:$PATH" quietly "$venv/bin/pip" install --no-deps --no-build-isolation -e .
    ;;
assets)
    : >"$log"
    say "model weights and data sets"
    "$venv/bin/python" -m models.prepare || fail "the demo's weights or data could not be prepared; run '$venv/bin/python -m models.prepare' to see more"
    ;;
*) fail "unknown step $step" ;;
esac
