# SPDX-License-Identifier: MIT
"""The language model in parts, against transformers, on a small random model and the real one."""

import pytest
import torch

from models.backbone import Adapters, BackboneError, load_backbone, loading
from models.backbone.packing import TILE_ROWS, tiled_linear

LAYERS = 3


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A random Llama with shared key heads, on disk, and transformers' own copy of it."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(3)
    folder = tmp_path_factory.mktemp("tiny")
    config = LlamaConfig(
        hidden_size=48,
        intermediate_size=96,
        num_hidden_layers=LAYERS,
        num_attention_heads=6,
        num_key_value_heads=2,
        vocab_size=32,
        bos_token_id=1,
        rope_theta=500.0,
    )
    reference = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, value in reference.named_parameters():
            if "norm" in name:  # ones by default, which would hide a forgotten factor
                value.uniform_(0.5, 1.5)
            else:
                value.normal_(0.0, 0.15)
    reference.save_pretrained(folder)
    words = Tokenizer(WordLevel({f"w{i}": i for i in range(32)}, unk_token="w0"))
    words.pre_tokenizer = Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, bos_token="w1").save_pretrained(folder)
    return load_backbone(str(folder), layers=LAYERS, precision="float32"), reference


def run(backbone, sequences, positions=None, first=0, last=LAYERS, adapters=None):
    positions = positions or [list(range(1, len(s) + 1)) for s in sequences]
    hidden = backbone.embed([token for s in sequences for token in s])
    flat = torch.tensor([p for row in positions for p in row])
    return backbone.run(hidden, flat, [len(s) for s in sequences], first, last, adapters)


@torch.no_grad()
def expected(reference, sequence, positions=None):
    """Transformers' stream before its last norm, without the prefix token's row."""
    seen = {}
    hook = reference.model.norm.register_forward_pre_hook(lambda _, args: seen.update(x=args[0]))
    positions = positions or list(range(1, len(sequence) + 1))
    reference.model(
        input_ids=torch.tensor([[1, *sequence]]), position_ids=torch.tensor([[0, *positions]])
    )
    hook.remove()
    return seen["x"][0, 1:]


@torch.no_grad()
def test_packed_sequences_are_what_transformers_makes_of_each(tiny):
    backbone, reference = tiny
    sequences = [[5, 9, 2, 30], [7], [3] * 11]
    want = torch.cat([expected(reference, s) for s in sequences])
    torch.testing.assert_close(run(backbone, sequences), want, atol=2e-4, rtol=1e-4)


@torch.no_grad()
def test_lost_tokens_are_gaps_in_the_positions(tiny):
    backbone, reference = tiny
    got = run(backbone, [[5, 2, 30]], [[1, 3, 8]])
    want = expected(reference, [5, 2, 30], [1, 3, 8])
    torch.testing.assert_close(got, want, atol=2e-4, rtol=1e-4)
    assert not torch.allclose(got, run(backbone, [[5, 2, 30]]), atol=1e-2)  # positions do count


@torch.no_grad()
def test_two_parts_are_the_whole(tiny):
    backbone, _ = tiny
    sequences = [[5, 9, 2], [8, 8]]
    middle = run(backbone, sequences, last=1)
    positions, lengths = torch.tensor([1, 2, 3, 1, 2]), [3, 2]
    got = backbone.run(middle, positions, lengths, 1, LAYERS)
    assert torch.equal(got, run(backbone, sequences))


def lora(backbone, seed=5, first=1):
    generator = torch.Generator().manual_seed(seed)
    hidden, joint = backbone.geometry.hidden, backbone.joint_rows
    numbers = range(first, LAYERS)
    return Adapters(
        f"adapters-{seed}-{first}",
        {n: torch.randn(2, hidden, generator=generator) * 0.2 for n in numbers},
        {n: torch.randn(joint, 2, generator=generator) * 0.2 for n in numbers},
    )


def test_merged_changes_are_what_training_computes_also_for_the_prefix(tiny):
    backbone, _ = tiny
    sequences, adapters = [[5, 9, 2, 30], [4]], lora(backbone)
    with torch.no_grad():
        start = run(backbone, sequences, last=1)
        plain = run(backbone, sequences, last=LAYERS)
    positions, lengths = torch.tensor([1, 2, 3, 4, 1]), [4, 1]
    with torch.no_grad():
        merged = backbone.run(start, positions, lengths, 1, LAYERS, adapters)
    trained = backbone.run(start, positions, lengths, 1, LAYERS, adapters)
    torch.testing.assert_close(merged, trained, atol=1e-4, rtol=1e-4)
    assert (merged - plain).abs().max() > 0.05


@torch.no_grad()
def test_a_merged_change_is_a_changed_weight_in_transformers(tiny):
    backbone, reference = tiny
    adapters = lora(backbone, first=0)
    kept = {k: v.clone() for k, v in reference.state_dict().items()}
    for number, layer in enumerate(reference.model.layers):
        change = adapters.up[number] @ adapters.down[number]
        parts = torch.split(change, [48, 16, 16])  # 6 query heads, 2 key, 2 value, 8 wide each
        attention = layer.self_attn
        for projection, part in zip(
            (attention.q_proj, attention.k_proj, attention.v_proj), parts, strict=True
        ):
            projection.weight += part
    want = expected(reference, [5, 9, 2])
    reference.load_state_dict(kept)
    torch.testing.assert_close(
        run(backbone, [[5, 9, 2]], adapters=adapters), want, atol=3e-4, rtol=1e-4
    )


def test_more_layers_than_there_are_is_a_clear_error(tiny):
    backbone, _ = tiny
    with pytest.raises(BackboneError, match="only 3 are loaded"), torch.no_grad():
        run(backbone, [[5]], last=LAYERS + 1)


def test_an_unknown_model_says_what_to_give():
    with pytest.raises(BackboneError, match="give a local folder"):
        load_backbone("/no/such/model")


def test_an_unprepared_cache_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMCOSIM_CACHE", str(tmp_path))
    load_backbone.cache_clear()
    with pytest.raises(BackboneError, match=r"python -m models\.prepare"):
        load_backbone()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_row_of_a_tiled_product_does_not_depend_on_the_others(dtype):
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(3 * TILE_ROWS + 7, 576, generator=generator)
    weight = torch.randn(96, 576, generator=generator).to(dtype)
    with torch.no_grad():
        whole = tiled_linear(rows, weight)
        for start in (0, 1, 63, 64, 150):
            for count in (1, 2, 17, 49):
                part = tiled_linear(rows[start : start + count], weight)
                assert torch.equal(part, whole[start : start + count])


@torch.no_grad()
@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_the_real_models_stream_does_not_depend_on_the_batch(precision):
    backbone = load_backbone(precision=precision)
    texts = ["a fine film .", "dull", "one of the year's best , and funniest , pictures", "no"]
    sequences = [backbone.tokenizer.encode(text, 64) for text in texts]
    together = run(backbone, sequences, last=4)
    alone = torch.cat([run(backbone, [sequence], last=4) for sequence in sequences])
    assert torch.equal(together, alone)


def test_truncated_text_has_the_first_tokens_of_the_whole_text():
    tokenizer = load_backbone().tokenizer
    text = "an unforgettable look at morality , family , and social expectation"
    assert tokenizer.truncate(text, 64) == text
    short = tokenizer.truncate(text, 5)
    assert text.startswith(short)
    assert tokenizer.encode(short, 64) == tokenizer.encode(text, 5)


@pytest.mark.parametrize("fast", [True, False])
def test_what_a_device_is_charged_does_not_depend_on_this_processor(monkeypatch, fast):
    monkeypatch.setattr(loading, "_cpu_has", lambda test: fast)
    loading.load_backbone.cache_clear()
    try:
        one = loading.load_backbone(layers=2)
        exact = loading.load_backbone(layers=2, precision="float32")
    finally:
        loading.load_backbone.cache_clear()
    assert one.geometry.bytes_per_weight == 2
    assert exact.geometry.bytes_per_weight == 4
