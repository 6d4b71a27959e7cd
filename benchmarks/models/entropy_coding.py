# SPDX-License-Identifier: MIT
"""Would entropy coding make units shorter, and does our coder's choice cost bytes?

    python benchmarks/models/entropy_coding.py

First the units of codec "llm-multi": bytes with a fixed length, and with each value coded with
static frequencies of its dimension over training samples, every unit by itself. Then the units of
codec "picture-units" by `models.codecs.ans` and, where it is installed, by constriction's coders.
"""

import importlib.util
from collections import defaultdict

import numpy as np

from models.codecs import ans
from models.codecs.llm_multi import LlmMultiCodec
from models.codecs.picture_net import LARGEST, MAPS
from models.codecs.picture_units import _NUMBER, PictureUnitsCodec
from models.codecs.quantiser import parse_rung, unpack_unit
from models.tasks import get_task

TASKS = {"sentiment": 0, "image": 16, "vqa": 16}
"""Task → positions of a picture, whose values have frequencies of their own."""
POSITIONS = ans.Table([1] * 80, 8)


def levels(codec, rung, split, samples):
    """Yield task, position, whether it is a token's, and levels of each unit."""
    for task, seen in TASKS.items():
        for message in codec.encode(get_task(task).splits[split][:samples], task=task, rung=rung):
            for unit in message.units:
                position, row = unpack_unit(unit, parse_rung(rung))
                yield task, position, position > seen, row


def language_model_units():
    codec = LlmMultiCodec()
    for rung in ("d8-int4", "d16-int4", "d32-int8"):
        point = parse_rung(rung)
        known = defaultdict(list)
        for _, _, token, row in levels(codec, rung, "train", 60):
            known[token].append(row)
        tables = {
            token: [
                ans.Table(np.bincount(column, minlength=1 << point.bits).tolist(), 14)
                for column in np.array(rows).T
            ]
            for token, rows in known.items()
        }
        sizes = defaultdict(list)
        for task, position, token, row in levels(codec, rung, "test", 30):
            symbols = [(t, int(v)) for t, v in zip(tables[token], row, strict=True)]
            sizes[task].append(len(ans.encode([(POSITIONS, position - 1), *symbols])))
        for task, found in sizes.items():
            print(f"{rung} {task}: {point.unit_bytes} bytes fixed, {np.mean(found):.2f} coded")


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
