# SPDX-License-Identifier: MIT
"""Text to token numbers, without loading transformers."""

from pathlib import Path

from tokenizers import Tokenizer


class TextTokenizer:
    """A fast tokenizer of the `tokenizers` library.

    Args:
        path: tokenizer.json.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Return the numbers of the text's first `max_tokens` tokens, none added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids[:max_tokens]

    def truncate(self, text: str, max_tokens: int) -> str:
        """Return the part of the text that its first `max_tokens` tokens cover."""
        offsets: list[tuple[int, int]] = self._tokenizer.encode(
            text, add_special_tokens=False
        ).offsets
        if len(offsets) <= max_tokens:
            return text
        return text[: offsets[max_tokens - 1][1]]

    def decode(self, tokens: list[int]) -> str:
        """Return the text of token numbers, special tokens left out."""
        text: str = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return text
