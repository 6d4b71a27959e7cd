# SPDX-License-Identifier: MIT
"""The device's layers in a smaller version, by the name that a rung ends with.

"student": two layers and one linear map for the two after them. "drop": without the layer of the
least block influence. "w8": products in 8 bits (torchao, extra `device`). "litert": the student,
the bottleneck and the importance as a LiteRT file of 8 bits, run by LiteRT (extra `device`). The
edge stays as it is and is not trained anew: what a smaller device costs in accuracy is measured.

The student and the choice of the dropped layer are of one language model; the file that ships with
the project says of which, and how `python -m models.training.distil_student` made it.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from models.assets import AssetError
from models.backbone import Backbone, BackboneError
from models.compression.device_file import DeviceFile, Origin, files_of, load_device_file, padded
from models.compression.variants import compress, weight_bytes
from models.fingerprint import SHIPPED, file_fingerprint
from models.names import DEVICE_MODELS

STUDENT = SHIPPED / "device-student.safetensors"


@dataclass(frozen=True)
class DeviceModel:
    """Layers before the cut.

    Attributes:
        model: runs them, as layers 0 to `cut`; with a file it only gives tokens and embeddings.
        cut: layers that it stands for.
        layers: that are left.
        matrix: weights of the linear map that stands for the others.
        weight_bytes: of the left layers' matrices, if these are not the language model's own.
        file: what runs instead, the bottleneck and the importance with it.
    """

    model: Backbone
    cut: int
    layers: int
    matrix: int = 0
    weight_bytes: int | None = None
    file: DeviceFile | None = None

    def cost(self, tokens: int, ends: int = 0) -> tuple[float, float]:
        """Return operations and bytes of memory traffic for a text; see `Geometry.cost`.

        A product in 8 bits counts like any other; its weights are fewer bytes. A file computes
        `device_file.padded` tokens and is read once.

        Args:
            tokens: of the text.
            ends: weights of what follows the layers: the bottleneck and the importance.
        """
        geometry = self.model.geometry
        if self.file is not None:
            tokens = padded(tokens)
            operations, _ = geometry.cost(tokens, self.layers)
            streams = self.layers + (1 if self.matrix else 0)
            return (
                operations + 2.0 * tokens * (self.matrix + ends),
                float(self.file.size + 8 * streams * tokens * geometry.hidden),
            )
        operations, traffic = geometry.cost(tokens, self.layers)
        if self.weight_bytes is not None:
            own = self.layers * geometry.parameters_per_layer * geometry.bytes_per_weight
            traffic += self.weight_bytes - own
        if self.matrix:
            operations += 2.0 * self.matrix * tokens
            traffic += 4.0 * self.matrix + 8 * tokens * geometry.hidden
        return operations + 2.0 * tokens * ends, traffic + 4.0 * ends


def device_model(
    backbone: Backbone,
    name: str,
    cut: int,
    path: Path = STUDENT,
    *,
    task: str = "",
    weights: str = "",
) -> DeviceModel:
    """Return the layers before the cut in the version of a name; "" is the model itself.

    Args:
        backbone: the whole language model.
        name: "" or one of `DEVICE_MODELS`.
        cut: layers at the device.
        path: the student's file.
        task: that "litert" has a file for; the others are the same for all tasks.
        weights: fingerprint of the codec's weights for it.

    Raises:
        BackboneError: no such version, or it was made for another model or cut, or torchao, LiteRT
            or its file is missing.
    """
    if name == "":
        return DeviceModel(backbone, cut, cut)
    if name == "w8":
        every = range(cut)
        small = compress(backbone, int8_layers=every)
        return DeviceModel(small, cut, cut, weight_bytes=weight_bytes(backbone, every, every))
    if name not in DEVICE_MODELS:
        raise BackboneError(f"no device model is named {name!r}; known: {', '.join(DEVICE_MODELS)}")
    student, meta = read_student(path)
    if (meta["backbone"], meta["last"]) != (backbone.name, cut):
        raise BackboneError(
            f"{path.name} is of {meta['backbone']} cut after layer {meta['last']}, not of "
            f"{backbone.name} cut after {cut}: python -m models.training.distil_student makes one"
        )
    if name == "drop":
        return DeviceModel(compress(backbone, drop=[meta["drop"]]), cut, cut - 1)
    first = int(meta["first"])
    if name == "litert":
        origin = Origin(task, weights, file_fingerprint(path), files_of(backbone))
        try:
            file = load_device_file(origin)
        except AssetError as error:
            raise BackboneError(str(error)) from None
        return DeviceModel(backbone, cut, first, matrix=student.numel(), file=file)
    small = compress(backbone, drop=range(first, cut), maps={first: student})
    return DeviceModel(small, cut, first, matrix=student.numel())


@functools.cache
def read_student(path: Path = STUDENT) -> tuple[Tensor, dict[str, Any]]:
    """Return the affine map in place of the last layers, and what is known of it.

    Raises:
        BackboneError: the file is missing or damaged.
    """
    remedy = "python -m models.training.distil_student makes one"
    try:
        with safe_open(path, framework="pt") as file:
            student = file.get_tensor("student").float()
            return student, json.loads(file.metadata()["semcosim"])
    except FileNotFoundError:
        raise BackboneError(f"{path} is missing: {remedy}") from None
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise BackboneError(f"{path} is damaged or of another format ({error}): {remedy}") from None


def device_fingerprint(name: str, path: Path = STUDENT) -> str:
    """Return what a result depends on beside the language model's own fingerprint.

    Not for "litert": there it is the file's (`DeviceFile.fingerprint`).
    """
    return f"{name}-{file_fingerprint(path)}" if name in ("student", "drop") else name
