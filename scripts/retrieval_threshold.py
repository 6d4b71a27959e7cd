# SPDX-License-Identifier: MIT
"""Measure how similar questions are to the right and to wrong sentences of a knowledge base.

    python scripts/retrieval_threshold.py

For each of 100 questions, drawn from both domains in turn: the cosine of its own sentence, and
the best of 40 other facts' of its domain, which is a base that does not hold the answer. Printed
is the share at or above each threshold; then how often 250 questions among 250 facts, half of each
domain, find their own sentence first.
"""

import numpy as np

from cosim.seeding import generator
from models.retrieval import load_facts
from models.retrieval.encoder import load_encoder

SEED = 2026
QUESTIONS, OTHERS, FACTS = 100, 40, 250
THRESHOLDS = (0.65, 0.7, 0.75, 0.8)


def main() -> None:
    """Print a Markdown table and a sentence."""
    encoder = load_encoder()
    rng = generator(SEED, "threshold")
    domains = {name: load_facts(name) for name in ("airports", "elements")}
    right, wrong = [], []
    for number in range(QUESTIONS):
        pool = domains[("airports", "elements")[number % 2]]
        asked, *others = (pool[n] for n in rng.permutation(len(pool))[: OTHERS + 1])
        question = encoder.encode([asked.question])[0]
        sentences = [fact.sentence for fact in (asked, *others)]
        similar = encoder.encode(sentences) @ question
        right.append(similar[0])
        wrong.append(similar[1:].max())
    print("| threshold | right sentence | best of 40 wrong ones |\n|---|---|---|")
    for threshold in THRESHOLDS:
        shares = [np.mean(np.array(values) >= threshold) for values in (right, wrong)]
        print(f"| {threshold} | {shares[0]:.2f} | {shares[1]:.2f} |")
    facts = [
        facts_of[n]
        for facts_of in domains.values()
        for n in rng.permutation(len(facts_of))[: FACTS // 2]
    ]
    questions = encoder.encode([fact.question for fact in facts])
    sentences = encoder.encode([fact.sentence for fact in facts])
    first = (questions @ sentences.T).argmax(axis=1) == np.arange(len(facts))
    print(
        f"\nOf {len(facts)} questions among {len(facts)} facts {first.mean():.3f} find their own."
    )


if __name__ == "__main__":
    main()
