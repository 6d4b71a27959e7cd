# SPDX-License-Identifier: MIT
"""Text to token numbers, without loading transformers."""

from pathlib import Path

from tokenizers import Tokenizer


class TextTokenizer:
    """A fast tokenizer of the `tokenizers` library.

    Args:
        path: tokenizer.json.
        blank: number of the token that stands for a text without any.
    """

    def __init__(self, path: Path, *, blank: int = 0) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        # Some files come with the lengths that a model was last used with.
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._blank = blank

    def encode(self, text: str, max_tokens: int) -> list[int]:
        """Return the numbers of the text's first `max_tokens` tokens, none added."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids[:max_tokens]

    def encode_some(self, text: str, max_tokens: int) -> list[int]:
        """Return the same, or what a space is, or the blank token: one number at least."""
        found = self.encode(text, max_tokens) or self.encode(" ", max_tokens)
        return found or [self._blank]

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
