# SPDX-License-Identifier: MIT
"""Greedy text generation with a whole backbone, many prompts at once.

Keys and values of what came before are kept, so a step costs one tile of rows a layer however many
prompts there are; and no answer depends on which prompts it is generated beside.
"""

from collections.abc import Sequence

import torch
from safetensors import safe_open
from torch import Tensor

from models.backbone.api import BackboneError
from models.backbone.llama import LlamaBackbone, Prefix
from models.backbone.loading import Precision, load_backbone
from models.backbone.packing import spans, tiled_linear
from models.backbone.smollm2 import folder

END_TOKEN = 2
"""<|im_end|>."""

LAYERS = 30


class TextGenerator:
    """The default language model with all its layers and its output matrix.

    Args:
        precision: number type of matrix products.
    """

    def __init__(self, *, precision: Precision = "auto") -> None:
        backbone = load_backbone(layers=LAYERS, precision=precision)
        if not isinstance(backbone, LlamaBackbone):
            raise BackboneError(f"model {backbone.name} cannot generate text")
        self._backbone = backbone
        with safe_open(folder() / "model.safetensors", framework="pt") as file:
            self._norm = file.get_tensor("model.norm.weight").float()
        # The output matrix is tied to the embedding; a copy in the type of the other weights.
        self._output = backbone._embedding.to(backbone._layers[0].qkv.dtype)

    @property
    def fingerprint(self) -> str:
        """Return what answers depend on beside the prompt."""
        return f"greedy-1/{self._backbone.fingerprint}"

    def cost(self, tokens: int, new_tokens: int) -> tuple[float, float]:
        """Return operations and memory traffic of reading `tokens` and writing `new_tokens`."""
        geometry = self._backbone.geometry
        operations, traffic = geometry.cost(tokens, LAYERS)
        once = geometry.cost(1, LAYERS)
        return operations + new_tokens * once[0], traffic + new_tokens * once[1]

    def count(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return len(self._backbone.tokenizer.encode(text, 1 << 20))

    @torch.no_grad()
    def generate(self, prompts: Sequence[str], *, max_new_tokens: int) -> list[str]:
        """Return the most likely continuation of each prompt, up to its end or the limit.

        Args:
            prompts: texts after the prefix token <|im_start|>, in the model's chat format.
            max_new_tokens: limit.
        """
        if not prompts:
            return []
        backbone = self._backbone
        numbers = [backbone.tokenizer.encode(text, 1 << 20) for text in prompts]
        lengths = [len(row) for row in numbers]
        where = spans(lengths)
        positions = torch.cat([torch.arange(1, n + 1) for n in lengths])
        hidden = backbone.embed([token for row in numbers for token in row])
        rotation = backbone._rotation(positions)
        past: list[list[Prefix]] = []
        for layer in range(LAYERS):
            prefix = backbone._prefix(layer, None)[1]
            hidden, (key, value) = backbone._layer(hidden, rotation, where, layer, prefix, None)
            past.append(
                [
                    (
                        torch.cat([prefix[0], key[:, part]], 1),
                        torch.cat([prefix[1], value[:, part]], 1),
                    )
                    for part in where
                ]
            )
        last = torch.stack([hidden[part][-1] for part in where])
        out: list[list[int]] = [[] for _ in prompts]
        alive = list(range(len(prompts)))
        for step in range(max_new_tokens):
            chosen = self._next(last).tolist()
            going = [i for i, token in enumerate(chosen) if token != END_TOKEN]
            for i in going:
                out[alive[i]].append(chosen[i])
            past = [[layer[i] for i in going] for layer in past]
            alive = [alive[i] for i in going]
            if not alive or step + 1 == max_new_tokens:
                break
            last = self._step([chosen[i] for i in going], alive, lengths, step, past)
        decode = backbone.tokenizer.decode
        return [decode(row).strip() for row in out]

    def _next(self, hidden: Tensor) -> Tensor:
        rows = self._backbone.normalise(hidden) * self._norm
        return tiled_linear(rows, self._output).argmax(-1)

    def _step(
        self,
        tokens: list[int],
        alive: list[int],
        lengths: list[int],
        step: int,
        past: list[list[Prefix]],
    ) -> Tensor:
        backbone = self._backbone
        hidden = backbone.embed(tokens)
        rotation = backbone._rotation(torch.tensor([lengths[i] + 1 + step for i in alive]))
        where = spans([1] * len(alive))
        for layer in range(LAYERS):
            hidden, (key, value) = backbone._layer(
                hidden, rotation, where, layer, past[layer], None
            )
            past[layer] = [
                (torch.cat([k, key[:, n : n + 1]], 1), torch.cat([v, value[:, n : n + 1]], 1))
                for n, (k, v) in enumerate(past[layer])
            ]
        return hidden


def chat(system: str, user: str) -> str:
    """Return a prompt in the model's chat format, without its first token."""
    return (
        f"system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"
    )
