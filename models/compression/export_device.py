# SPDX-License-Identifier: MIT
"""The device's part of codec "llm-token" as a LiteRT file, in 32-bit floats or in 8 bits.

python -m models.compression.export_device --out build/device

The file holds two layers of the language model, the linear student that stands for the next two,
the bottleneck and the importance, for sentences of up to `TOKENS` tokens. Token embeddings come in:
a device looks them up in a table. Needs the extra `device`. In 8 bits a row of weights has one
scale and activations are quantised as they come (the quantiser's recipe `dynamic_wi8_afp32`).
"""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import BackboneError, load_backbone
from models.backbone.llama import Layer, LlamaBackbone
from models.codecs.base import ReceivedMessage
from models.codecs.evaluate import wilson
from models.codecs.llm_token import LlmTokenCodec
from models.codecs.quantiser import ordered, pack_units, parse_rung, quantise
from models.codecs.weights import CodecWeights, load_weights
from models.compression.variants import linear_student
from models.tasks import get_task

TOKENS = 64
_LAYERS = 2
_RUNG = "d8-int4"
Values = NDArray[np.float32]


class DeviceModel(nn.Module):
    """The device's part with all sizes fixed, as a converter wants it.

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
        """Return values [1, TOKENS, dimensions] and importances [1, TOKENS] of embeddings."""
        for block in self.blocks:
            hidden = self._layer(hidden, block)
        both = self.ends(self.student(hidden))
        return both[..., :-1], both[..., -1].clamp(0.0, 1.0)

    def _layer(self, hidden: Tensor, block: Any) -> Tensor:
        joint = block["qkv"](self._normalise(hidden) * block.attention_norm)
        joint = joint.view(TOKENS, self.heads + 2 * self.shared, self.width).transpose(0, 1)
        query, key, value = torch.split(joint, [self.heads, self.shared, self.shared])
        query, key = self._rotate(query), self._rotate(key)
        key = torch.cat([block.prefix_key, key], 1)
        value = torch.cat([block.prefix_value, value], 1)
        grouped = self.heads // self.shared
        key, value = key.repeat_interleave(grouped, 0), value.repeat_interleave(grouped, 0)
        scores = query @ key.transpose(1, 2) / math.sqrt(self.width) + self.mask
        mixed = (scores.softmax(-1) @ value).transpose(0, 1).reshape(1, TOKENS, -1)
        hidden = hidden + block["output"](mixed)
        gate, up = block["gate_up"](self._normalise(hidden) * block.mlp_norm).chunk(2, dim=-1)
        changed: Tensor = hidden + block["down"](functional.silu(gate) * up)
        return changed

    def _normalise(self, hidden: Tensor) -> Tensor:
        return hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + self.epsilon)

    def _rotate(self, rows: Tensor) -> Tensor:
        first, second = rows.chunk(2, dim=-1)
        return rows * self.cosine + torch.cat([-second, first], dim=-1) * self.sine


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
    task: str = "sentiment", texts: int = 300
) -> tuple[DeviceModel, LlamaBackbone]:
    """Return the device's part for a task, and the language model that it was taken from.

    Args:
        task: name of the task.
        texts: training samples that the student is distilled from.

    Raises:
        BackboneError: the language model is no Llama model.
    """
    backbone = load_backbone(precision="float32")
    if not isinstance(backbone, LlamaBackbone):
        raise BackboneError(f"{backbone.name} is no Llama model: it cannot be exported here")
    weights = load_weights("llm-token", task)
    chosen = [sample.text for sample in get_task(task).train[:texts]]
    student = linear_student(backbone, _LAYERS, weights.cut, chosen)
    with torch.no_grad():
        return DeviceModel(backbone, student, weights).eval(), backbone


def export(model: DeviceModel, path: Path, *, eight_bits: bool) -> None:
    """Write a LiteRT file.

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
    sample = torch.zeros(1, TOKENS, model.student.weight.shape[0])
    converted = litert_torch.convert(model, (sample,))
    converted.export(str(path))
    if eight_bits:
        small = quantizer.Quantizer(str(path), recipe.dynamic_wi8_afp32())
        small.quantize().export_model(str(path), overwrite=True)


class DeviceRunner:
    """Runs a LiteRT file on one thread.

    Args:
        path: of `export`.
    """

    def __init__(self, path: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._runner = Interpreter(str(path), num_threads=1).get_signature_runner()
        self._input = next(iter(self._runner.get_input_details()))

    def __call__(self, hidden: Values) -> tuple[Values, Values]:
        """Return values and importances of embeddings [1, TOKENS, hidden]."""
        out = self._runner(**{self._input: hidden})
        values, importance = sorted(out.values(), key=lambda a: -a.ndim)
        return values, importance


def measure(run: Any, backbone: LlamaBackbone, samples: int) -> dict[str, float]:
    """Return accuracy at rung d8-int4 over test sentences, and the milliseconds of a sentence.

    Args:
        run: maps embeddings to values and importances.
        backbone: gives tokens and embeddings.
        samples: test samples, the first by content hash.
    """
    codec = LlmTokenCodec(model=backbone, on_disk=False)
    task, rung = get_task("sentiment"), parse_rung(_RUNG)
    chosen, received, spent_s = task.test[:samples], [], []
    for sample in chosen:
        tokens = backbone.tokenizer.encode(sample.text, TOKENS) or backbone.tokenizer.encode(" ", 1)
        hidden = torch.zeros(1, TOKENS, backbone.geometry.hidden)
        hidden[0, : len(tokens)] = backbone.embed(tokens)
        started = time.perf_counter()
        values, importance = run(hidden.numpy())
        spent_s.append(time.perf_counter() - started)
        rows = torch.from_numpy(values[0, : len(tokens), : rung.dimensions].copy())
        units = pack_units(np.arange(1, len(tokens) + 1), quantise(rows, rung.bits), rung)
        sent, _ = ordered(units, importance[0, : len(tokens)].tolist(), rung)
        received.append(ReceivedMessage(len(sent), dict(enumerate(sent))))
    answers = codec.decode(received, task="sentiment", rung=_RUNG)
    right = sum(a.prediction == s.label for a, s in zip(answers, chosen, strict=True))
    low, high = wilson(right, len(chosen))
    return {
        "n": len(chosen),
        "accuracy": round(right / len(chosen), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "ms_median": round(1e3 * float(np.median(spent_s)), 2),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Export both files, compare them with torch and print what was measured."""
    parser = argparse.ArgumentParser(description="Export the device's part to LiteRT.")
    parser.add_argument("--out", type=Path, default=Path("build/device"))
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    model, backbone = make_device_model()

    def in_torch(hidden: Values) -> tuple[Values, Values]:
        with torch.inference_mode():
            values, importance = model(torch.from_numpy(hidden))
        return values.numpy(), importance.numpy()

    rows = {"torch, fp32": measure(in_torch, backbone, options.samples)}
    text = get_task("sentiment").validation[0].text
    tokens = backbone.tokenizer.encode(text, TOKENS)
    hidden = np.zeros((1, TOKENS, backbone.geometry.hidden), np.float32)
    hidden[0, : len(tokens)] = backbone.embed(tokens).numpy()
    want = in_torch(hidden)[0][0, : len(tokens)]
    for name, eight_bits in (("fp32", False), ("int8", True)):
        path = options.out / f"llm-token-sentiment-{name}.tflite"
        export(model, path, eight_bits=eight_bits)
        run = DeviceRunner(path)
        got = run(hidden)[0][0, : len(tokens)]
        rows[f"LiteRT, {name}"] = measure(run, backbone, options.samples) | {
            "bytes": path.stat().st_size,
            "relative_error": float(np.linalg.norm(got - want) / np.linalg.norm(want)),
        }
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
