# SPDX-License-Identifier: MIT
"""What does entropy coding save, and does our coder's choice cost bytes?

    python benchmarks/models/entropy_coding.py

First the units of codec "llm-multi": bytes with a fixed length, and those of the rungs "-ans". Then
the units of codec "picture-units" by `models.codecs.ans` and, where it is installed, by
constriction's coders.
"""

import importlib.util

import numpy as np

from models.codecs import ans
from models.codecs.llm_multi import LlmMultiCodec
from models.codecs.picture_net import LARGEST, MAPS
from models.codecs.picture_units import _NUMBER, PictureUnitsCodec
from models.tasks import get_task

SAMPLES = 100


def language_model_units():
    codec = LlmMultiCodec()
    print("| rung | " + " | ".join(("sentiment", "topic", "image", "vqa")) + " |")
    for rung in ("d8-int4", "d16-int4", "d32-int8", "d16-vq"):
        cells = []
        for task in ("sentiment", "topic", "image", "vqa"):
            samples = get_task(task).test[:SAMPLES]
            sizes = [
                np.mean([
                    len(unit)
                    for message in codec.encode(samples, task=task, rung=name)
                    for unit in message.units
                ])
                for name in (rung, f"{rung}-ans")
            ]  # fmt: skip
            cells.append(f"{sizes[0]:.0f}, {sizes[1]:.2f}")
        print(f"| `{rung}` | " + " | ".join(cells) + " |", flush=True)


def picture_units():
    name = "picture-reconstruction"
    codec = PictureUnitsCodec()
    ends = codec._of(name)
    maps = []
    for sample in get_task(name).test[:50]:
        rows = codec._levels(ends, sample).reshape(MAPS, -1) + LARGEST
        maps += list(enumerate(rows.tolist()))
    own = [len(ans.encode([(_NUMBER, n), *((ends.tables[n], v) for v in r)])) for n, r in maps]
    print(f"own coder: {np.mean(own):.2f} bytes a unit")
    if importlib.util.find_spec("constriction") is None:
        return
    from constriction import stream

    def categorical(table, symbols):
        shares = [table.frequency(s) / 2**table.bits for s in range(symbols)]
        return stream.model.Categorical(np.array(shares), perfect=False)

    number = categorical(_NUMBER, MAPS)
    tables = [categorical(t, 2 * LARGEST + 1) for t in ends.tables]
    stacked, queued = [], []
    for n, row in maps:
        values = np.array(row, np.int32)
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(values, tables[n])
        coder.encode_reverse(n, number)
        # Its words have 32 bits; zeros at the end of the last one need not be sent.
        stacked.append(len(coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")))
        coder = stream.queue.RangeEncoder()
        coder.encode(n, number)
        coder.encode(values, tables[n])
        queued.append(len(coder.get_compressed().astype(">u4").tobytes().rstrip(b"\0")))
    print(f"constriction, ANS: {np.mean(stacked):.2f}; range coder: {np.mean(queued):.2f}")


if __name__ == "__main__":
    language_model_units()
    picture_units()
