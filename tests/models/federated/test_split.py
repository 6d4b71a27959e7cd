# SPDX-License-Identifier: MIT
import pytest
import torch

from models.backbone import load_backbone
from models.federated.reference import (
    LocalWork,
    choose_samples,
    run_round,
    same,
    split_step,
)
from models.federated.sides import DeviceSide, EdgeSide, whole_step
from models.federated.split import SplitModel, SplitSpec
from models.federated.strategy import FedAvg
from models.tasks import Sample

FIRST, LAST = 1, 4
TEXTS = ["a fine film", "dull , and far too long for what it is", "hockey", "the cpu is slow"]


def samples():
    return [Sample(str(n), text, n % 3) for n, text in enumerate(TEXTS)]


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(layers=LAST, precision="float32")


def model_of(backbone, cut, **options):
    spec = SplitSpec(first=FIRST, cut=cut, last=LAST, rank=2, labels=3, **options)
    return SplitModel(spec, backbone=backbone)


def trained_start(model):
    """Values away from zero, so that every gradient is alive."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: value + 0.02 * torch.randn(value.shape, generator=generator)
        for name, value in model.initial(3).items()
    }


@pytest.mark.parametrize("head_at_device", [False, True])
@pytest.mark.parametrize("cut", range(FIRST, LAST + 1))
def test_a_step_in_two_parts_is_the_step_of_the_whole_model(backbone, cut, head_at_device):
    # The same operations in the same order on the same numbers: no tolerance is needed.
    model = model_of(backbone, cut, head_at_device=head_at_device)
    start = trained_start(model)
    batch = model.corpus(samples(), 16).batch([0, 1, 2, 3])
    loss, gradients = whole_step(model, start, batch)
    device = DeviceSide(model, model.spec.device_part(start), 1e-3)
    edge = EdgeSide(model, model.spec.edge_part(start), 1e-3)
    assert split_step(device, edge, batch) == loss
    edge.step()
    # Adam's first step is the learning rate times g / (|g| + eps); the whole model takes it too.
    whole = {name: value.clone().requires_grad_() for name, value in start.items()}
    optimiser = torch.optim.Adam(list(whole.values()), lr=1e-3)
    for name, value in whole.items():
        value.grad = gradients[name]
    optimiser.step()
    split = {**device.state(), **edge.state()}
    assert same(split, {name: value.detach() for name, value in whole.items()}) == 0.0
    below = [name for name in gradients if name.startswith("up.")]
    assert below and all(float(gradients[name].abs().max()) > 0 for name in below)


def test_the_cut_does_not_change_what_the_model_says(backbone):
    start = trained_start(model_of(backbone, 2))
    answers = []
    for cut in range(FIRST, LAST + 1):
        model = model_of(backbone, cut)
        answers.append(model.evaluate(start, model.corpus(samples(), 16)))
    # merged weights are the same matrices whatever the cut
    assert len(set(answers)) == 1


def test_a_frozen_lower_part_is_the_same_computed_once_or_in_one_run(backbone):
    model = model_of(backbone, 2)
    corpus = model.corpus(samples(), 16)
    tokens = backbone.tokenizer.encode(TEXTS[1], 16)
    with torch.no_grad():
        row = backbone.run(
            backbone.embed(tokens), torch.arange(1, len(tokens) + 1), [len(tokens)], 0, FIRST
        )
    assert torch.equal(row, corpus.rows[1])


def test_one_round_of_one_client_is_plain_training(backbone):
    import numpy as np

    model = model_of(backbone, 2)
    data = {0: model.corpus(samples(), 16)}
    work = LocalWork(steps=2, batch=2, learning_rate=1e-3)
    batches = {0: choose_samples(np.random.default_rng(0), 4, work)}
    strategy = FedAvg(model.initial(1), 2)
    losses = run_round("splitfed-v1", strategy, model, data, batches, work)
    # A zero head scores 0 for each of 3 classes: the first loss is log 3, the mean lies near it.
    assert losses[0] == pytest.approx(np.log(3), abs=0.1)
    values = {n: v.clone().requires_grad_() for n, v in model.initial(1).items()}
    optimiser = torch.optim.Adam(list(values.values()), lr=1e-3)
    for numbers in batches[0]:
        _, gradients = whole_step(model, values, data[0].batch(numbers))
        for name, value in values.items():
            value.grad = gradients[name]
        optimiser.step()
    assert same(strategy.tensors, {n: v.detach() for n, v in values.items()}) == 0.0


def test_a_cut_outside_the_trained_layers_is_refused():
    with pytest.raises(ValueError, match="first <= cut <= last"):
        SplitSpec(first=2, cut=1, last=4, rank=2, labels=3)
