# SPDX-License-Identifier: MIT
import struct

import numpy as np
import pytest
import torch

from models.federated import dirichlet_partition, get_strategy, parse_smashed
from models.federated.lowrank import cut_rank, product_gap, stack, truncate_svd
from models.federated.reference import traffic_bytes
from models.federated.scheme import SmashedError
from models.federated.selection import select_clients
from models.federated.smashed import ErrorFeedback, select_tokens
from models.federated.split import Smashed
from models.federated.strategy import FitResult
from models.federated.wire import (
    Kind,
    MessageError,
    decode_rows,
    decode_weights,
    encode_rows,
    encode_weights,
)

WIDTH = 32


def rows(count=9, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    )


@pytest.mark.parametrize("name", ["float32", "float32-zstd"])
def test_lossless_schemes_give_back_every_bit(name):
    codec = parse_smashed(name)
    data = codec.encode(rows(), 1, np.random.default_rng(1))
    assert torch.equal(codec.decode(data, 9, WIDTH, 1), rows())


@pytest.mark.parametrize(
    ("name", "row_bytes"),
    [
        ("float32", 4 * 32),
        ("bfloat16", 2 * 32),
        ("int8", 4 + 32),
        ("int4", 4 + 16),
        ("top0.25-int8", 2 * 8 + 4 + 8),
        ("drop0.5-float16", 2 * 16),
    ],
)
def test_a_row_takes_the_bytes_that_the_formula_counts(name, row_bytes):
    codec = parse_smashed(name)
    assert codec.row_bytes(WIDTH) == row_bytes
    assert len(codec.encode(rows(), 1, np.random.default_rng(1))) == 9 * row_bytes
    assert (
        traffic_bytes(tokens=9, width=WIDTH, codec=codec, lora_values=100, bytes_per_weight=4)
        == 2 * 9 * row_bytes + 2 * 100 * 4
    )


@pytest.mark.parametrize(("name", "levels"), [("int8", 127), ("int4", 7)])
def test_stochastic_rounding_is_unbiased_and_within_a_level(name, levels):
    codec, values = parse_smashed(name), rows()
    step = values.abs().max(1, keepdim=True).values / levels
    total = torch.zeros_like(values)
    for seed in range(400):
        out = codec.decode(codec.encode(values, 0, np.random.default_rng(seed)), 9, WIDTH, 0)
        assert ((out - values).abs() <= step * 1.001).all()
        total += out
    # A rounding error is at most a step wide with variance ≤ step²/4, so the mean of 400 has the
    # standard deviation step/40; six of them leave 1e-9 a value.
    assert ((total / 400 - values).abs() <= 6 * step / 40).all()


def test_top_k_keeps_the_largest_and_dropout_keeps_the_mean():
    values = rows()
    top = parse_smashed("top0.25-float32")
    out = top.decode(top.encode(values, 0, np.random.default_rng(0)), 9, WIDTH, 0)
    least = values.abs().sort(1, descending=True).values[:, 7:8]
    assert torch.equal(out, torch.where(values.abs() >= least, values, torch.zeros(())))
    drop, total = parse_smashed("drop0.5-float32"), torch.zeros_like(values)
    for seed in range(800):
        out = drop.decode(drop.encode(values, seed, np.random.default_rng(0)), 9, WIDTH, seed)
        assert ((out != 0).sum(1) == 16).all()
        total += out
    # Each value is 0 or twice itself with equal chance: the mean of 800 deviates by |x|/√800.
    assert ((total / 800 - values).abs() <= 6 * values.abs() / 800**0.5 + 1e-6).all()


def test_error_feedback_brings_the_mean_of_visits_to_the_truth():
    # What n visits send sums to n·x minus the last residual: the mean errs by residual/n.
    codec, values, memory = parse_smashed("top0.1-float32"), rows(4), ErrorFeedback()
    total, places = torch.zeros_like(values), torch.arange(1, 5)
    for _ in range(50):
        wanted = memory.add(values, [4], (7,), places)
        got = codec.decode(codec.encode(wanted, 0, np.random.default_rng(0)), 4, WIDTH, 0)
        memory.keep(wanted, got, [4], (7,), places)
        total += got
    residual = memory.memory[7]
    assert torch.allclose(total / 50, values - residual / 50, atol=1e-5)


def test_an_error_waits_until_its_token_is_sent_again():
    # Two samples of 3 and 2 tokens. Sent are tokens 1 and 3 of the first and 2 of the second, and
    # only half of each value arrives: the other half is owed to these tokens and to no others.
    memory, values = ErrorFeedback(), rows(5)
    sent, at = values[[0, 2, 4]], torch.tensor([1, 3, 2])
    memory.keep(sent, sent / 2, [2, 1], (7, 9), at)
    again = memory.add(values, [3, 2], (7, 9), torch.tensor([1, 2, 3, 1, 2]))
    owed = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])[:, None]
    assert torch.equal(again, values + owed * values / 2)
    # A sample that was never sent is owed nothing, nor is a token beyond those that were.
    assert torch.equal(memory.add(values, [5], (8,), torch.arange(1, 6)), values)
    assert torch.equal(memory.add(values[:1], [1], (9,), torch.tensor([4])), values[:1])


@pytest.mark.parametrize("name", ["int7", "top1.5-int8", "drop0.0-int8", "float32-gzip", ""])
def test_an_unknown_scheme_is_refused(name):
    with pytest.raises(SmashedError):
        parse_smashed(name)


def test_token_selection_keeps_the_share_of_every_sequence():
    kept = select_tokens(rows(9), [5, 1, 3], 0.5)
    # round(2.5) = 2, max(1, round(0.5)) = 1, round(1.5) = 2
    assert [int(((kept >= a) & (kept < b)).sum()) for a, b in ((0, 5), (5, 6), (6, 9))] == [2, 1, 2]


# Low rank


def factors(seed, rank=2, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (
        scale * torch.randn(rank, 10, generator=generator),
        torch.randn(6, rank, generator=generator),
    )


def result(client, seed, rank=2, examples=1, version=0):
    down, up = factors(seed, rank)
    tensors = {"down.3": down, "up.3": up, "head.bias": torch.full((2,), float(client))}
    return FitResult(client, tensors, examples, version)


def start(rank):
    return {
        "down.3": torch.zeros(rank, 10),
        "up.3": torch.zeros(6, rank),
        "head.bias": torch.zeros(2),
    }


def product(tensors):
    return tensors["up.3"] @ tensors["down.3"]


def test_the_product_of_averages_is_not_the_average_of_products():
    # A = (1, 0), B = 1 and A = (0, 1), B = -1: products (1, 0) and (0, -1), mean (½, -½);
    # mean A = (½, ½), mean B = 0: product 0, so the gap is the whole norm.
    one = (0.5, torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0]]))
    two = (0.5, torch.tensor([[0.0, 1.0]]), torch.tensor([[-1.0]]))
    assert product_gap([one, two]) == pytest.approx(1.0)
    assert product_gap([one, (0.5, one[1], one[2])]) == pytest.approx(0.0)


def test_exact_aggregation_is_the_mean_of_products_and_fedavg_is_not():
    results = [result(0, 1, examples=1), result(1, 2, examples=3)]
    wanted = 0.25 * product(results[0].tensors) + 0.75 * product(results[1].tensors)
    for name, rank in (("exact", 4), ("stack", 2)):
        got = get_strategy(name, start(rank), rank).aggregate_fit(results)
        assert torch.allclose(product(got), wanted, atol=1e-5), name
        assert torch.allclose(got["head.bias"], torch.full((2,), 0.75))
    averaged = product(get_strategy("fedavg", start(2), 2).aggregate_fit(results))
    assert float((averaged - wanted).norm() / wanted.norm()) > 0.1


def test_a_cut_rank_is_the_best_approximation():
    down, up = stack([(1.0, *factors(1)), (1.0, *factors(2))])
    exact = up @ down
    singular = torch.linalg.svdvals(exact)
    new_down, new_up = truncate_svd(down, up, 2)
    # Eckart and Young: the error's norm is that of the singular values left out.
    assert float((new_up @ new_down - exact).norm()) == pytest.approx(
        float(singular[2:].norm()), rel=1e-4
    )
    assert torch.allclose(product(cut_rank({"down.3": down, "up.3": up}, 9)), exact, atol=1e-5)


def test_clients_of_different_ranks_are_averaged():
    results = [result(0, 1, rank=1), result(1, 2, rank=3)]
    exact = 0.5 * product(results[0].tensors) + 0.5 * product(results[1].tensors)
    got = get_strategy("exact", start(4), 4).aggregate_fit(results)
    assert torch.allclose(product(got), exact, atol=1e-5)
    strategy = get_strategy("fedavg", start(3), 3)
    padded = strategy.aggregate_fit(results)
    assert padded["down.3"].shape == (3, 10)
    assert torch.allclose(padded["down.3"][1:], 0.5 * results[1].tensors["down.3"][1:])
    assert strategy.configure_fit(0, 1)["down.3"].shape == (1, 10)


def test_a_stale_result_counts_less():
    strategy = get_strategy("async", start(2), 2)
    strategy.aggregate_fit([result(1, 1, version=0)])
    # α = 0.6 at no staleness: 0.6·1; then staleness 1: α = 0.6/√2.
    assert strategy.tensors["head.bias"][0] == pytest.approx(0.6)
    strategy.aggregate_fit([result(2, 1, version=0)])
    share = 0.6 / 2**0.5
    assert strategy.tensors["head.bias"][0] == pytest.approx((1 - share) * 0.6 + share * 2)


def test_clusters_part_clients_that_pull_apart():
    def pull(client, sign):
        tensors = {name: value.clone() for name, value in start(2).items()}
        tensors["head.bias"] += sign * torch.tensor([1.0, -1.0])
        return FitResult(client, tensors, 1)

    strategy = get_strategy("clustered", start(2), 2)
    strategy.aggregate_fit([pull(0, 1), pull(1, -1), pull(2, 1), pull(3, -1)])
    groups = [strategy.current(client)["head.bias"].tolist() for client in range(4)]
    assert groups == [[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, 1.0]]
    assert strategy.tensors["head.bias"].tolist() == [0.0, 0.0]


# Selection and partition


def test_selection_uses_what_was_measured():
    rng = np.random.default_rng(0)
    facts = {"rng": rng, "rate_bps": {0: 1e6, 1: 3e6, 2: 2e6}, "round_s": {0: 3.0, 1: 1.0, 2: 2.0}}
    assert select_clients("channel", [0, 1, 2], 2, deadline_s=9, **facts) == [1, 2]
    assert select_clients("deadline", [0, 1, 2], 9, deadline_s=2.5, **facts) == [1, 2]
    assert select_clients("deadline", [0, 1, 2], 9, deadline_s=0.5, **facts) == [1]
    assert select_clients("channel", [0, 1, 2, 3], 1, deadline_s=9, **facts) == [3]  # unknown
    missed = {**facts, "round_s": {0: 3.0, 1: float("inf"), 2: 2.0}}
    assert select_clients("deadline", [0, 1, 2], 9, deadline_s=9, **missed) == [0, 2]
    assert len(select_clients("random", [0, 1, 2], 2, deadline_s=9, **facts)) == 2


def test_dirichlet_shares_follow_alpha():
    labels = [n % 4 for n in range(4000)]
    rng = np.random.default_rng(1)

    def largest_share(alpha):
        parts = dirichlet_partition(labels, 10, 100, alpha, rng)
        assert len({n for part in parts for n in part}) == 1000  # none twice
        return np.mean([max(np.bincount([labels[n] for n in p], minlength=4)) for p in parts]) / 100

    # One label in four when even; nearly one label a client when alpha is small.
    assert largest_share(float("inf")) < 0.4 < largest_share(1.0) + 0.1
    assert largest_share(0.01) > 0.85
    with pytest.raises(ValueError, match="need 5000"):
        dirichlet_partition(labels, 50, 100, 1.0, rng)


# Wire


def weights():
    return {"down.3": torch.randn(2, 10), "head.bias": torch.zeros(2)}


SHAPES = {"down.3": (0, 10), "head.bias": (2,)}


def test_weights_come_back_with_their_version():
    values = weights()
    data = encode_weights(Kind.UPDATE, values, round_number=4, version=7, samples=16, loss=0.5)
    message = decode_weights(data, SHAPES)
    assert (message.kind, message.round, message.version) == (Kind.UPDATE, 4, 7)
    assert (message.samples, message.loss) == (16, 0.5)
    assert message.tensors.keys() == values.keys()
    assert all(torch.equal(message.tensors[name], values[name]) for name in values)
    assert data == encode_weights(
        Kind.UPDATE, values, round_number=4, version=7, samples=16, loss=0.5
    )


def test_weights_that_are_not_the_ones_expected_are_refused():
    data = encode_weights(Kind.UPDATE, weights(), round_number=0, version=1)
    flipped = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(MessageError, match="hash"):
        decode_weights(flipped, SHAPES)
    with pytest.raises(MessageError, match="shape"):
        decode_weights(data, {"down.3": (0, 11), "head.bias": (2,)})
    with pytest.raises(MessageError, match="other names"):
        decode_weights(data, {"down.3": (0, 10)})
    with pytest.raises(MessageError, match="safetensors"):
        decode_weights(data[:-3], SHAPES)
    wrong = data[:8] + struct.pack("<I", 9) + data[12:]
    with pytest.raises(MessageError, match="version 1 in a message of 9"):
        decode_weights(wrong, SHAPES)
    poisoned = {**weights(), "head.bias": torch.tensor([0.0, float("nan")])}
    with pytest.raises(MessageError, match="finite"):
        decode_weights(encode_weights(Kind.UPDATE, poisoned, round_number=0, version=1), SHAPES)


def row_message(name="float32", kind=Kind.SMASHED, **options):
    smashed = Smashed(rows(1, 5), rows(6))
    return encode_rows(
        kind, smashed, (2, 1, 3), codec=parse_smashed(name), rng=np.random.default_rng(0),
        round_number=2, step=1, version=3, **options,
    )  # fmt: skip


def test_activations_come_back_with_labels_and_positions():
    message = row_message(
        labels=torch.tensor([1, 0, 2]), positions=torch.tensor([2, 5, 1, 1, 3, 4])
    )
    # header 16, lengths 3, positions 6, labels 3, prefix 4·32, rows 6·4·32
    assert len(message.head) == 16 + 3 + 6 + 3 + 128 and len(message.rows) == 6 * 128
    got = decode_rows(message.data, codec=parse_smashed("float32"), width=WIDTH, labels=3)
    assert torch.equal(got.smashed.rows, rows(6)) and torch.equal(got.smashed.prefix, rows(1, 5))
    assert got.labels.tolist() == [1, 0, 2] and got.positions.tolist() == [2, 5, 1, 1, 3, 4]
    assert (got.round, got.step, got.version, got.lengths) == (2, 1, 3, (2, 1, 3))


def test_lost_activations_are_left_out_and_lost_gradients_are_zero():
    codec = parse_smashed("float32")
    data = row_message().data
    got = decode_rows(data, codec=codec, width=WIDTH, labels=3, missing={0, 2})
    assert got.lengths == (1, 1, 3) and got.positions.tolist() == [2, 1, 1, 2, 3]
    assert torch.equal(got.smashed.rows[0], rows(6)[1])
    assert not got.smashed.rows[1].any()  # its sequence lost all: an average token stands for it
    data = row_message(kind=Kind.GRADIENT).data
    got = decode_rows(data, codec=codec, width=WIDTH, labels=3, missing={4})
    assert got.lengths == (2, 1, 3) and not got.smashed.rows[4].any()


@pytest.mark.parametrize("cut", [3, 18, 100, -1])
def test_truncated_activations_are_refused(cut):
    with pytest.raises(MessageError):
        decode_rows(row_message().data[:cut], codec=parse_smashed("float32"), width=WIDTH, labels=3)


def test_a_label_beyond_the_task_is_refused():
    data = row_message(labels=torch.tensor([1, 0, 9])).data
    with pytest.raises(MessageError, match="label 9 of only 3"):
        decode_rows(data, codec=parse_smashed("float32"), width=WIDTH, labels=3)
