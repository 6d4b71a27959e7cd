# SPDX-License-Identifier: MIT
"""Answers of a small language model, alone or with a retrieved sentence.

P. Lewis et al., "Retrieval-Augmented Generation", NeurIPS 2020.
"""

import functools
import re
import unicodedata
from collections.abc import Sequence

from models.backbone.generation import TextGenerator, chat
from models.codecs.store import ResultStore, content_key

MAX_NEW_TOKENS = 32
BATCH = 64
_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""The one that the model was tuned with."""


class Answerer:
    """SmolLM2 with greedy decoding; what was once answered is kept.

    Args:
        on_disk: whether answers outlive the process.
    """

    def __init__(self, *, on_disk: bool = True) -> None:
        self._generator: TextGenerator | None = None
        self._store = ResultStore(on_disk=on_disk)

    @property
    def generator(self) -> TextGenerator:
        """Return the model, loaded at its first use."""
        if self._generator is None:
            self._generator = TextGenerator()
        return self._generator

    def answer(self, pairs: Sequence[tuple[str, str | None]]) -> list[str]:
        """Return an answer to each (question, sentence that was found or None)."""
        keys = [content_key(self.generator.fingerprint, prompt(*pair)) for pair in pairs]
        found = {key: self._store.get(key) for key in dict.fromkeys(keys)}
        todo = {k: p for k, p in zip(keys, pairs, strict=True) if found[k] is None}
        items = list(todo.items())
        for first in range(0, len(items), BATCH):
            part = items[first : first + BATCH]
            texts = self.generator.generate(
                [prompt(*pair) for _, pair in part], max_new_tokens=MAX_NEW_TOKENS
            )
            for (key, _), text in zip(part, texts, strict=True):
                self._store.put(key, text)
                found[key] = text
        return [str(found[key]) for key in keys]

    def cost(self, question: str, sentence: str | None) -> tuple[float, float]:
        """Return operations and memory traffic of one answer, a bound on its length assumed."""
        tokens = 2 + len(prompt(question, sentence)) // 4  # about four characters a token
        return self.generator.cost(tokens, MAX_NEW_TOKENS)


def prompt(question: str, sentence: str | None) -> str:
    """Return what the model reads."""
    if sentence is None:
        return chat(_SYSTEM, question)
    return chat(_SYSTEM, f"Context: {sentence}\nQuestion: {question}\nAnswer:")


def is_right(answer: str, value: str) -> bool:
    """Return whether an answer names the value: as a whole word, whatever its case or accents."""
    return bool(re.search(rf"(?<!\w){re.escape(_plain(value))}(?!\w)", _plain(answer)))


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


@functools.cache
def load_answerer() -> Answerer:
    """Return the answerer, made once a process."""
    return Answerer()
