# SPDX-License-Identifier: MIT
"""Becomes the program that it is given, which ends when whoever started it dies.

`python cosim/campaign/guard.py PARENT_PID COMMAND …`: a campaign or a Dask worker that is killed
leaves no runs behind that nobody waits for. The parent-death signal survives exec(2).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask for SIGTERM at the parent's death, then exec the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have died before the call: then nothing would ever come.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
