# SPDX-License-Identifier: MIT
"""Trained changes as PEFT's files: what PEFT makes of them, and what is refused."""

import json

import pytest
import safetensors.torch
import torch

from models.backbone import Adapters, load_backbone
from models.federated.peft_format import ADAPTER, CONFIG, AdapterError, load_adapter, save_adapter

LAYERS = 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random Llama with shared key heads, on disk, and transformers' own copy of it."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(5)
    folder = tmp_path_factory.mktemp("tiny")
    config = LlamaConfig(
        hidden_size=48, intermediate_size=96, num_hidden_layers=LAYERS, num_attention_heads=6,
        num_key_value_heads=2, vocab_size=32, bos_token_id=1,
    )  # fmt: skip
    reference = LlamaForCausalLM(config).eval()
    reference.save_pretrained(folder)
    words = Tokenizer(WordLevel({f"w{i}": i for i in range(32)}, unk_token="w0"))
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="w1").save_pretrained(folder)
    return load_backbone(str(folder), layers=LAYERS, precision="float32"), reference


def trained(rank=3, first=1):
    generator = torch.Generator().manual_seed(7)
    out = {"pool": torch.ones(48), "head.bias": torch.arange(6.0)}
    for number in range(first, LAYERS):
        out[f"down.{number}"] = 0.3 * torch.randn(rank, 48, generator=generator)
        out[f"up.{number}"] = 0.3 * torch.randn(80, rank, generator=generator)
    return out


def test_what_was_saved_comes_back(tiny, tmp_path):
    backbone, _ = tiny
    values = trained()
    save_adapter(tmp_path / "a", values, backbone)
    back = load_adapter(tmp_path / "a", backbone)
    assert back.keys() == values.keys()
    assert all(torch.equal(back[name], value) for name, value in values.items())


@torch.no_grad()
def test_peft_makes_of_the_files_what_the_backbone_makes_of_the_values(tiny, tmp_path):
    peft = pytest.importorskip("peft")
    backbone, reference = tiny
    values = trained()
    # Different ranks, as clients may have them: PEFT gets the higher one, padded.
    values["down.1"], values["up.1"] = values["down.1"][:1], values["up.1"][:, :1]
    save_adapter(tmp_path / "a", values, backbone)
    tokens = [5, 9, 2, 30]
    seen = {}
    hook = reference.model.norm.register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    adapted = peft.PeftModel.from_pretrained(reference, str(tmp_path / "a"))
    assert all("lora" not in n or "layers.0" not in n for n, _ in adapted.named_parameters())
    adapted(input_ids=torch.tensor([[1, *tokens]]))
    hook.remove()
    numbers = [1, 2]
    adapters = Adapters(
        "t", {n: values[f"down.{n}"] for n in numbers}, {n: values[f"up.{n}"] for n in numbers}
    )
    hidden = backbone.embed(tokens)
    positions = torch.arange(1, 5)
    hidden = backbone.run(hidden, positions, [4], 0, LAYERS, adapters)
    torch.testing.assert_close(hidden, seen["x"][0, 1:], atol=1e-5, rtol=1e-4)
    plain = backbone.run(backbone.embed(tokens), positions, [4], 0, LAYERS)
    assert (hidden - plain).abs().max() > 1e-3


def test_what_is_no_adapter_of_the_model_is_refused(tiny, tmp_path):
    backbone, _ = tiny
    with pytest.raises(AdapterError, match="no adapter that can be read"):
        load_adapter(tmp_path, backbone)
    save_adapter(tmp_path, trained(), backbone)
    values = safetensors.torch.load_file(tmp_path / ADAPTER)
    name = "base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight"

    def spoilt(change, words):
        safetensors.torch.save_file(change, tmp_path / ADAPTER)
        with pytest.raises(AdapterError, match=words):
            load_adapter(tmp_path, backbone)

    spoilt({**values, name: values[name] + 1}, "are not one")
    spoilt({n: v for n, v in values.items() if n != name}, "query, key and value alone")
    spoilt({n: v[..., :-1].contiguous() for n, v in values.items()}, "other sizes")
    (tmp_path / ADAPTER).write_bytes(b"not safetensors")
    with pytest.raises(AdapterError, match="no adapter that can be read"):
        load_adapter(tmp_path, backbone)
    # PEFT's scale alpha / r is a factor of B.
    save_adapter(tmp_path, trained(), backbone)
    config = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps({**config, "lora_alpha": 2 * config["r"]}))
    found, values = load_adapter(tmp_path, backbone), trained()
    assert torch.equal(found["up.2"], 2 * values["up.2"])
