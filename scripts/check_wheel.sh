#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Builds an sdist, a wheel from that sdist, installs the wheel in an environment of its own and runs a
# shipped scenario outside the checkout. The heavy dependencies are taken from the environment that
# `make setup` made (through a .pth file), so that nothing is downloaded twice; ns3 is installed
# anew, because the executable finds its libraries beside itself.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/${VENV:-.venv}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PATH="$venv/bin:$PATH"

# The check of dependencies is skipped: ns3 asks for cppyy, which setup leaves out on purpose.
python -m build --no-isolation --skip-dependency-check --sdist --outdir "$work/dist" "$root" >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
pip wheel --no-deps --no-build-isolation --no-cache-dir -w "$work/dist" "$work"/dist/*.tar.gz >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
ls -l "$work/dist"

python -m venv "$work/venv"
site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
"$work/venv/bin/pip" install -q --no-deps ns3==3.44.post0 "$work"/dist/*.whl
python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])' >"$site/zz-dependencies.pth"

cd "$work"
"$work/venv/bin/python" - <<'PY'
import cosim, pathlib, sys
assert pathlib.Path(cosim.__file__).is_relative_to(sys.prefix), f"{cosim.__file__} is not the wheel's"
PY
"$work/venv/bin/cosim" doctor
"$work/venv/bin/cosim" run demo --quiet --out "$work/run"
"$work/venv/bin/python" "$root/scripts/check_run.py" "$work/run"

# A stranger's program: the template from the wheel, built against the wheel's own CMake package.
export PATH="$work/venv/bin:$PATH"
python -m cosim.bridge --copy-template "$work/mine" && cd "$work/mine"
(cmake -S . -B build && cmake --build build) >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
python main.py
