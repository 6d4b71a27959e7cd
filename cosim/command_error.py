# SPDX-License-Identifier: MIT
"""How a command ends when something is wrong: exit codes, and the error that carries one."""

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class CommandError(Exception):
    """What a command says before it ends with `code`."""

    def __init__(self, message: str, code: int = EXIT_FAILED) -> None:
        super().__init__(message)
        self.code = code
