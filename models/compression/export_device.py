# SPDX-License-Identifier: MIT
"""Makes the LiteRT files that device model "litert" of codec "llm-token" runs.

    python -m models.compression.export_device --task sentiment
    python -m models.compression.export_device --task sentiment --samples 400

A file holds two layers of the language model, the student that ships with the project for the next
two, the bottleneck and the importance, with a signature each for sentences of up to 16, 32, 48 and
64 tokens. Token embeddings come in: a device looks them up in a table. Needs the extra `device`. In
8 bits a row of weights has one scale and activations are quantised as they come (the quantiser's
recipe `dynamic_wi8_afp32`). The file goes into the cache folder; with `--samples` it is measured,
beside one of 32-bit floats and the same module in torch.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.assets import AssetError
from models.backbone import BackboneError, load_backbone
from models.backbone.llama import Layer, LlamaBackbone
from models.codecs.base import CodecError, ReceivedMessage
from models.codecs.evaluate import wilson
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.quantiser import ordered, pack_units, parse_rung, quantise
from models.codecs.registry import codec_tasks
from models.codecs.weights import SHIPPED, CodecWeights, load_weights
from models.compression.device_file import (
    LENGTHS,
    TOKENS,
    DeviceRunner,
    Origin,
    Run,
    Values,
    keep,
    padded,
    signature,
)
from models.compression.device_models import STUDENT, read_student
from models.fingerprint import file_fingerprint
from models.tasks import get_task

CODEC = "llm-token"
_LAYERS = 2
_RUNG = "d8-int4"


class DeviceModel(nn.Module):
    """The device's part for any number of tokens up to `TOKENS`; a converter fixes it.

    Args:
        backbone: the language model in 32-bit floats.
        student: affine map in place of the layers after the first two, [hidden, hidden + 1].
        weights: of codec "llm-token".
    """

    cosine: Tensor
    sine: Tensor
    mask: Tensor

    def __init__(self, backbone: LlamaBackbone, student: Tensor, weights: CodecWeights) -> None:
        super().__init__()
        config = backbone.config
        self.heads, self.shared = config.num_attention_heads, config.num_key_value_heads
        self.width, self.epsilon = config.head_dim, config.rms_norm_eps
        cosine, sine = backbone._rotation(torch.arange(1, TOKENS + 1))
        self.register_buffer("cosine", cosine)
        self.register_buffer("sine", sine)
        # The prefix is seen by all: one more column on the left, never masked.
        mask = torch.full((TOKENS, TOKENS + 1), -1e9).triu(2)
        self.register_buffer("mask", mask)
        self.blocks = nn.ModuleList()
        for number in range(_LAYERS):
            key, value = backbone._prefix(number, None)[1]
            self.blocks.append(_block(backbone._layers[number], key, value))
        self.student = _linear(student[:, :-1], student[:, -1])
        tensors = weights.tensors
        mean, encoder = tensors["mean"], tensors["encoder"]
        both = torch.cat([encoder, tensors["importance"][None]])
        constant = -both @ mean
        constant[-1] += tensors["importance_bias"].squeeze()
        self.ends = _linear(both, constant)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Return values [1, tokens, dimensions] and importances [1, tokens] of embeddings."""
        for block in self.blocks:
            hidden = self._layer(hidden, block)
        both = self.ends(self.student(hidden))
        return both[..., :-1], both[..., -1].clamp(0.0, 1.0)

    def _layer(self, hidden: Tensor, block: Any) -> Tensor:
        joint = block["qkv"](self._normalise(hidden) * block.attention_norm)
        tokens = hidden.shape[1]
        joint = joint.view(tokens, self.heads + 2 * self.shared, self.width).transpose(0, 1)
        query, key, value = torch.split(joint, [self.heads, self.shared, self.shared])
        query, key = self._rotate(query), self._rotate(key)
        key = torch.cat([block.prefix_key, key], 1)
        value = torch.cat([block.prefix_value, value], 1)
        grouped = self.heads // self.shared
        key, value = key.repeat_interleave(grouped, 0), value.repeat_interleave(grouped, 0)
        scores = query @ key.transpose(1, 2) / math.sqrt(self.width)
        scores = scores + self.mask[:tokens, : tokens + 1]
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(1, tokens, -1)
        hidden = hidden + block["output"](mixed)
        gate, up = block["gate_up"](self._normalise(hidden) * block.mlp_norm).chunk(2, dim=-1)
        changed: Tensor = hidden + block["down"](functional.silu(gate) * up)
        return changed

    def _normalise(self, hidden: Tensor) -> Tensor:
        return hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.epsilon)

    def _rotate(self, rows: Tensor) -> Tensor:
        first, second = rows.chunk(2, dim=-1)
        turned = torch.cat([-second, first], dim=-1)
        return rows * self.cosine[: rows.shape[1]] + turned * self.sine[: rows.shape[1]]


def _linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight = nn.Parameter(weight.float().contiguous(), requires_grad=False)
    if bias is not None:
        linear.bias = nn.Parameter(bias.float().contiguous(), requires_grad=False)
    return linear


def _block(layer: Layer, key: Tensor, value: Tensor) -> nn.ModuleDict:
    block = nn.ModuleDict(
        {name: _linear(getattr(layer, name)) for name in ("qkv", "output", "gate_up", "down")}
    )
    for name in ("attention_norm", "mlp_norm"):
        block.register_buffer(name, getattr(layer, name))
    block.register_buffer("prefix_key", key)
    block.register_buffer("prefix_value", value)
    return block


def make_device_model(
    task: str = "sentiment", folder: Path = SHIPPED, path: Path = STUDENT
) -> tuple[DeviceModel, LlamaBackbone, Origin]:
    """Return the device's part for a task, the language model it is of, and what it is made from.

    Args:
        task: name of the task.
        folder: where the codec's weights are.
        path: the student's file.

    Raises:
        BackboneError: the language model is no Llama model, or the student is of another one.
        CodecError: there are no weights for the task.
    """
    backbone = load_backbone(precision="float32")
    if not isinstance(backbone, LlamaBackbone):
        raise BackboneError(f"{backbone.name} is no Llama model: it cannot be exported here")
    weights = load_weights(CODEC, task, folder)
    weights.check_backbone(backbone)
    student, meta = read_student(path)
    if (meta["backbone"], meta["first"], meta["last"]) != (backbone.name, _LAYERS, weights.cut):
        raise BackboneError(
            f"{path.name} stands for layers {meta['first']} to {meta['last']} of "
            f"{meta['backbone']}, not {_LAYERS} to {weights.cut} of {backbone.name}: "
            "python -m models.training.distil_student makes one"
        )
    origin = Origin(task, weights.fingerprint, file_fingerprint(path), backbone.files)
    with torch.no_grad():
        return DeviceModel(backbone, student, weights).eval(), backbone, origin


def export(model: DeviceModel, path: Path, *, eight_bits: bool) -> None:
    """Write a LiteRT file with a signature for each of `LENGTHS`.

    Raises:
        BackboneError: the converter is not installed.
    """
    try:
        import litert_torch
        from ai_edge_quantizer import quantizer, recipe
    except ImportError:
        raise BackboneError(
            "exporting needs litert-torch: install semcosim[device] (or `pip install litert-torch`)"
        ) from None
    # One signature a length; they share the weights.
    hidden, converter = model.student.weight.shape[0], litert_torch
    for length in LENGTHS:
        sample = (torch.zeros(1, length, hidden),)
        converter = converter.signature(signature(length), model, sample)
    converter.convert().export(str(path))
    if eight_bits:
        small = quantizer.Quantizer(str(path), recipe.dynamic_wi8_afp32())
        small.quantize().export_model(str(path), overwrite=True)


def make(task: str, folder: Path = SHIPPED, student: Path = STUDENT) -> Path:
    """Make the 8-bit file of a task in the cache folder and return its path.

    Args:
        task: name of the task.
        folder: where the codec's weights are.
        student: the student's file.

    Raises:
        BackboneError: the converter is not installed, or see `make_device_model`.
        CodecError: there are no weights for the task.
    """
    model, _, origin = make_device_model(task, folder, student)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "device.tflite"
        export(model, path, eight_bits=True)
        return keep(path, origin, made_with())


def made_with() -> dict[str, str]:
    """Return the versions of what converts and quantises."""
    found = {}
    for name in ("torch", "litert-torch", "ai-edge-litert", "ai-edge-quantizer"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def measure(run: Run, backbone: LlamaBackbone, samples: int, name: str) -> dict[str, float]:
    """Return accuracy at rung d8-int4 over test sentences, and the milliseconds of a sentence.

    Args:
        run: maps embeddings to values and importances.
        backbone: gives tokens and embeddings.
        samples: test samples, the first by content hash.
        name: of the task.
    """
    codec = LlmTokenCodec(model=backbone, on_disk=False)
    task, rung = get_task(name), parse_rung(_RUNG)
    chosen, received, spent_s = task.test[:samples], [], []
    for sample in chosen:
        tokens = backbone.tokenizer.encode_some(sample.text, TOKENS)
        hidden = torch.zeros(1, padded(len(tokens)), backbone.geometry.hidden)
        hidden[0, : len(tokens)] = backbone.embed(tokens)
        started = time.perf_counter()
        values, importance = run(hidden.numpy())
        spent_s.append(time.perf_counter() - started)
        rows = torch.from_numpy(values[0, : len(tokens), : rung.dimensions].copy())
        units = pack_units(np.arange(1, len(tokens) + 1), quantise(rows, rung.bits), rung)
        sent, _ = ordered(units, importance[0, : len(tokens)].tolist(), rung)
        received.append(ReceivedMessage(len(sent), dict(enumerate(sent))))
    answers = codec.decode(received, task=name, rung=_RUNG)
    right = sum(a.prediction == s.label for a, s in zip(answers, chosen, strict=True))
    low, high = wilson(right, len(chosen))
    return {
        "n": len(chosen),
        "accuracy": round(right / len(chosen), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "ms_median": round(1e3 * float(np.median(spent_s)), 2),
    }


def compare(task: str, samples: int, folder: Path) -> dict[str, dict[str, float]]:
    """Return what torch, the file in 32-bit floats and the one in 8 bits give, by name.

    Args:
        task: name of the task.
        samples: test samples.
        folder: where the file in floats is written to; that in 8 bits is the cache's.
    """
    model, backbone, origin = make_device_model(task)

    def in_torch(hidden: Values) -> tuple[Values, Values]:
        with torch.inference_mode():
            values, importance = model(torch.from_numpy(hidden))
        return values.numpy(), importance.numpy()

    rows = {"torch, fp32": measure(in_torch, backbone, samples, task)}
    text = get_task(task).validation[0].text
    tokens = backbone.tokenizer.encode(text, TOKENS)
    hidden = np.zeros((1, padded(len(tokens)), backbone.geometry.hidden), np.float32)
    hidden[0, : len(tokens)] = backbone.embed(tokens).numpy()
    want = in_torch(hidden)[0][0, : len(tokens)]
    folder.mkdir(parents=True, exist_ok=True)
    floats = folder / f"{CODEC}-{task}-fp32.tflite"
    export(model, floats, eight_bits=False)
    for name, path in (("fp32", floats), ("int8", origin.path)):
        run = DeviceRunner(path)
        got = run(hidden)[0][0, : len(tokens)]
        rows[f"LiteRT, {name}"] = measure(run, backbone, samples, task) | {
            "bytes": path.stat().st_size,
            "relative_error": float(np.linalg.norm(got - want) / np.linalg.norm(want)),
        }
    return rows


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files, and print what was measured or why it cannot be."""
    parser = argparse.ArgumentParser(
        prog="models.compression.export_device", description="Export the device's part to LiteRT."
    )
    tasks = codec_tasks(CODEC) or ()
    parser.add_argument("--task", choices=tasks, action="append", help="again for more; all")
    parser.add_argument(
        "--weights", type=Path, default=SHIPPED, help="folder of the codec's weights"
    )
    parser.add_argument("--samples", type=int, default=0, help="test samples, with shipped weights")
    parser.add_argument("--out", type=Path, default=Path("build/device"), help="of the fp32 file")
    options = parser.parse_args(arguments)
    if options.samples and options.weights != SHIPPED:
        parser.error("--samples measures the shipped weights: leave out --weights")
    torch.set_num_threads(1)
    try:
        for task in options.task or tasks:
            print(f"{task}: {make(task, options.weights)}", flush=True)
            if options.samples:
                print(json.dumps(compare(task, options.samples, options.out), indent=1))
    except (AssetError, BackboneError, CodecError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
