# SPDX-License-Identifier: MIT
"""The network of codec "small-multi": a transformer for several tasks without any pretrained part.

Its plan follows that of U-DeepSC (G. Zhang et al., "A unified multi-task semantic communication
system for multimodal data", IEEE Trans. Communications, 2024): an encoder for each modality, one
decoder for all tasks, and an embedding of the task that asks the decoder.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 128
VOCABULARY = 8192
"""Token numbers are taken modulo this: 49 152 embeddings could not be trained on these data."""
HEADS = 4
PATCHES = 16
IMAGE_SIDE = 32
MAX_UNITS = 80
DIMENSIONS = 32


class Block(nn.Module):
    """A transformer layer with normalisation first (R. Xiong et al., ICML 2020), both ways."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.joint, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)
        self.drop = nn.Dropout(0.1)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Return the stream after the layer.

        Args:
            x: shape [samples, tokens, 128].
            there: True for tokens that exist, shape [samples, tokens].
        """
        samples, tokens, _ = x.shape
        joint = self.joint(self.first(x)).view(samples, tokens, 3, HEADS, -1)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=there[:, None, None]
        )
        mixed = mixed.transpose(1, 2).reshape(samples, tokens, WIDTH)
        x = x + self.drop(self.out(mixed))
        out: Tensor = x + self.drop(self.down(functional.gelu(self.up(self.second(x)))))
        return out


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    """Return a layer of 3 x 3 filters that keeps the size."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.GELU()
    )


class Residual(nn.Module):
    """Two convolutions beside a direct path (K. He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.both = nn.Sequential(_convolution(width, width), _convolution(width, width))

    def forward(self, x: Tensor) -> Tensor:
        """Return the features, of the same shape."""
        out: Tensor = x + self.both(x)
        return out


class SmallNet(nn.Module):
    """Device: encoders and bottleneck; edge: decoder with a task embedding, and heads.

    Args:
        labels: classes of each task.
    """

    def __init__(self, labels: Sequence[int]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.place = nn.Embedding(MAX_UNITS + 1, WIDTH)
        self.kind = nn.Embedding(2, WIDTH)
        self.stem = nn.Sequential(
            _convolution(3, 32), nn.MaxPool2d(2),
            _convolution(32, 64), nn.MaxPool2d(2), Residual(64),
            _convolution(64, WIDTH), nn.MaxPool2d(2), Residual(WIDTH),
        )  # fmt: skip
        self.stem.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for table, spread in ((self.embedding, 0.3), (self.place, 0.05), (self.kind, 0.05)):
            nn.init.normal_(table.weight, std=spread)
        self.device = nn.ModuleList([Block() for _ in range(2)])
        self.encoder = nn.Linear(WIDTH, DIMENSIONS)
        self.decoder = nn.Linear(DIMENSIONS, WIDTH)
        self.tasks = nn.Embedding(len(labels), WIDTH)
        self.edge = nn.ModuleList([Block() for _ in range(2)])
        self.last = nn.LayerNorm(WIDTH)
        self.heads = nn.ModuleList([nn.Linear(WIDTH, count) for count in labels])

    def look(self, pixels: Tensor) -> Tensor:
        """Return the features of pictures, shape [pictures, 16, 128].

        Args:
            pixels: -1 to 1, shape [pictures, 3, 32, 32].
        """
        x: Tensor = self.stem(pixels.contiguous(memory_format=torch.channels_last))
        return x.flatten(2).transpose(1, 2)

    def send(self, looks: Tensor | None, tokens: Tensor | None, there: Tensor) -> Tensor:
        """Return the values of all units, about unit variance, shape [samples, units, 32].

        Args:
            looks: of `look`, shape [samples, 16, 128], or None.
            tokens: numbers below `VOCABULARY`, shape [samples, tokens], or None.
            there: True for units that exist, shape [samples, units]; a picture's come first.
        """
        parts = []
        if looks is not None:
            parts.append(looks + self.kind.weight[0])
        if tokens is not None:
            parts.append(self.embedding(tokens) + self.kind.weight[1])
        x = torch.cat(parts, 1)
        x = x + self.place.weight[1 : x.shape[1] + 1]
        for block in self.device:
            x = block(x, there)
        values: Tensor = self.encoder(functional.layer_norm(x, (WIDTH,)))
        return functional.rms_norm(values, (DIMENSIONS,))

    def answer(
        self, values: Tensor, places: Tensor, there: Tensor, seen: Tensor, task: int
    ) -> Tensor:
        """Return class scores, shape [samples, labels].

        Args:
            values: of units that may be missing, the last values 0 where a rung has fewer.
            places: positions from 1, shape [samples, units].
            there: True for units that arrived.
            seen: True for units of a picture.
            task: number.
        """
        x = self.decoder(values) + self.place(places) + self.kind((~seen).long())
        ask = self.tasks.weight[task].expand(len(x), 1, WIDTH)
        there = torch.cat([torch.ones(len(x), 1, dtype=torch.bool), there], 1)
        x = torch.cat([ask, x], 1)
        for block in self.edge:
            x = block(x, there)
        scores: Tensor = self.heads[task](self.last(x[:, 0]))
        return scores

    def operations(self, units: int, picture: bool) -> tuple[float, float]:
        """Return operations of device and edge for a sample of so many units."""
        block = 2.0 * units * 8 * WIDTH * WIDTH + 4.0 * units**2 * WIDTH
        both = 2.0 * units * WIDTH * DIMENSIONS
        filters = 1024 * 3 * 32 + 256 * 32 * 64 + 64 * 64 * (2 * 64 + WIDTH) + 16 * 2 * WIDTH**2
        return 2 * block + both + picture * 18.0 * filters, 2 * block + both

    def weights(self, picture: bool) -> int:
        """Return how many weights the device reads for a sample, but for its words' vectors."""
        parts = [self.device, self.encoder, *([self.stem] if picture else [])]
        return sum(p.numel() for part in parts for p in part.parameters())


def pixels_for(width: int, height: int, pixels: bytes) -> Tensor:
    """Return a picture as the stem wants it, shape [3, 32, 32]."""
    rows = torch.frombuffer(bytearray(pixels), dtype=torch.uint8).view(1, height, width, 3)
    x = rows.permute(0, 3, 1, 2).float()
    if (width, height) != (IMAGE_SIDE, IMAGE_SIDE):
        x = functional.adaptive_avg_pool2d(x, IMAGE_SIDE)
    return x[0] / 127.5 - 1.0
