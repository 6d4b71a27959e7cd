# SPDX-License-Identifier: MIT
"""The autoencoder of codec "picture-units": a picture to 16 maps, and any of them back."""

import torch
from torch import Tensor, nn

MAPS = 16
"""Units of a picture, the most important first."""
LARGEST = 7
"""Levels are whole numbers from -LARGEST to LARGEST."""
SHRINK = 8
"""Pixels of a map's value, along each side."""


class PictureEncoder(nn.Module):
    """Pictures, shape [n, 3, h, w] in 0 to 1, to real levels, shape [n, MAPS, h/8, w/8]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, MAPS, 3, padding=1),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """Return levels before rounding."""
        return LARGEST * torch.tanh(self.layers(pictures - 0.5) / 2)


class PictureDecoder(nn.Module):
    """Levels with zeros for what is missing, and which maps are there, to pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(2 * MAPS, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 128, 3, padding=1),
            nn.ReLU(),
            nn.PixelShuffle(2),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(64, 48, 3, padding=1),
            nn.PixelShuffle(4),
        )

    def forward(self, levels: Tensor, there: Tensor) -> Tensor:
        """Return pictures, shape [n, 3, 8h, 8w], about 0 to 1.

        Args:
            levels: shape [n, MAPS, h, w].
            there: 1 where a map arrived, else 0, shape [n, MAPS].
        """
        marks = there[:, :, None, None].expand_as(levels)
        picture: Tensor = self.layers(torch.cat([levels * marks / LARGEST, marks], 1)) + 0.5
        return picture
