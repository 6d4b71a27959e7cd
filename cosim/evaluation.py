# SPDX-License-Identifier: MIT
"""What a receiver makes of the bytes: deferred, batched decoding (DESIGN D5).

Nothing here knows a probability: every prediction is the output of a model run on the units that
arrived in time.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cosim.ledger import Message
from models.codecs import Decoded, ReceivedMessage
from models.codecs.judging import Judged, judge
from models.compression import DeviceProfile


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a message.

    Attributes:
        decoded: the decoder's answer from the units that arrived in time.
        offline: the same decoder's answer from all units, without a network.
        mask: one byte a unit, 1 where it arrived in time.
        delivered_s: when the last unit arrived, NaN if one never did.
        decoded_s: when the answer was there, NaN if no unit came in time.
        on_time: at least one unit came early enough to be decoded before the deadline.
        complete: every unit did.
        measures: of a reconstruction task, the fidelity of `decoded` by name.
    """

    message: Message
    decoded: Decoded
    offline: Decoded
    mask: bytes
    delivered_s: float
    decoded_s: float
    on_time: bool
    complete: bool
    measures: Mapping[str, float] = field(default_factory=dict)

    @property
    def correct(self) -> bool:
        """Return whether the prediction is the label."""
        return self.decoded.prediction == self.message.sample.label

    @property
    def offline_correct(self) -> bool:
        """Return whether the lossless prediction is the label."""
        return self.offline.prediction == self.message.sample.label


@dataclass
class OfflineTally:
    """Lossless accuracy over the very samples that were sent."""

    n: int = 0
    correct: int = 0
    prior_correct: int = 0


@dataclass
class Evaluator:
    """Decodes closed messages in batches.

    Args:
        profile: the edge server's; the latency of its decoder is taken off the time to the
        deadline.

    Attributes:
        messages: decided so far.
        correct: of these, right.
        offline: tallies by "task/codec/rung".
    """

    profile: DeviceProfile
    messages: int = 0
    correct: int = 0
    offline: dict[str, OfflineTally] = field(default_factory=lambda: defaultdict(OfflineTally))

    def decide(self, messages: Sequence[Message]) -> list[Verdict]:
        """Return the verdicts on `messages`, in their order."""
        groups: dict[tuple[int, str, str], list[int]] = defaultdict(list)
        for index, message in enumerate(messages):
            groups[(id(message.codec), message.task, message.rung)].append(index)
        verdicts: dict[int, Verdict] = {}
        for (_, task, rung), indices in groups.items():
            codec = messages[indices[0]].codec
            group = [messages[i] for i in indices]
            latency_s = [self._edge_latency_s(message) for message in group]
            in_time = [
                message.units_by(message.deadline_s - latency)
                for message, latency in zip(group, latency_s, strict=True)
            ]
            answers = codec.decode(
                [
                    ReceivedMessage(unit_count=len(m.encoded.units), units=units)
                    for m, units in zip(group, in_time, strict=True)
                ],
                task=task,
                rung=rung,
            )
            lossless = codec.decode(
                [
                    ReceivedMessage(
                        unit_count=len(m.encoded.units), units=dict(enumerate(m.encoded.units))
                    )
                    for m in group
                ],
                task=task,
                rung=rung,
            )
            samples = [m.sample for m in group]
            judged = judge(task, samples, answers)
            best = judge(task, samples, lossless)
            for position, index in enumerate(indices):
                verdicts[index] = self._verdict(
                    group[position],
                    in_time[position],
                    latency_s[position],
                    judged[position],
                    best[position].decoded,
                )
        ordered = [verdicts[i] for i in range(len(messages))]
        self.messages += len(ordered)
        self.correct += sum(v.correct for v in ordered)
        return ordered

    def _edge_latency_s(self, message: Message) -> float:
        """Return the decoder's latency, s."""
        operations, memory_bytes = message.codec.decode_cost(
            message.encoded, task=message.task, rung=message.rung
        )
        return self.profile.latency_s(operations, memory_bytes)

    def _verdict(
        self,
        message: Message,
        in_time: dict[int, bytes],
        latency_s: float,
        judged: Judged,
        offline: Decoded,
    ) -> Verdict:
        count = len(message.encoded.units)
        # A message of which nothing was sent is never complete.
        complete = bool(in_time) and len(in_time) == message.units_sent
        nan = float("nan")
        times = [at for at, _ in message.received.values()]
        whole = bool(times) and len(times) == message.units_sent
        at_deadline_s = message.deadline_s if in_time else nan
        decoded_s = max(times) + latency_s if complete else at_deadline_s
        return Verdict(
            message=message,
            decoded=judged.decoded,
            offline=offline,
            mask=bytes(1 if number in in_time else 0 for number in range(count)),
            delivered_s=max(times) if whole else nan,
            decoded_s=decoded_s,
            on_time=bool(in_time),
            complete=complete,
            measures=judged.measures,
        )

    def tally(self, verdicts: Sequence[Verdict], priors: dict[str, int]) -> None:
        """Add to the lossless and the prior's accuracy; `priors`: a task's majority label."""
        for verdict in verdicts:
            message = verdict.message
            tally = self.offline[f"{message.task}/{message.codec_label}/{message.rung}"]
            tally.n += 1
            tally.correct += verdict.offline_correct
            tally.prior_correct += priors[message.task] == message.sample.label
