# SPDX-License-Identifier: MIT
"""[[traffic]] tables of load by traffic models, which ns-3 generates."""

from abc import ABC, abstractmethod
from typing import Any, Literal

from cosim.scenario.base import quantity
from cosim.scenario.bearer import BearerSection
from cosim.scenario.run import MAX_DURATION_S
from cosim.scenario.ue_selection import UeSelection

NGMN = "NGMN Radio Access Performance Evaluation Methodology, 2008"
FILE_QUEUE_BYTES = 16_000_000
"""Room for files, whose packets all come at once."""


class LoadTraffic(BearerSection):
    """What traffic models and TCP have in common."""

    direction: Literal["dl", "ul"] = quantity("dl", "to or from the UE")
    ues: UeSelection = quantity("all", 'which UEs: "all" or a list of numbers from 0')
    start_s: float = quantity(
        0.0, "simulated time at which it begins", unit="s", ge=0.0, le=MAX_DURATION_S
    )
    stop_s: float = quantity(
        MAX_DURATION_S,
        "nothing at or after this simulated time; never later than duration_s",
        unit="s",
        gt=0.0,
        le=MAX_DURATION_S,
    )
    packet_bytes: int = quantity(
        1200, "UDP payload of a packet at most", unit="bytes", ge=1, le=65_507
    )
    budget_s: float | None = quantity(
        None,
        "delay after which a packet is useless and leaves the queue; by default never",
        unit="s",
        gt=0.0,
        le=3600.0,
    )
    fiveqi: int = quantity(9, "5QI of the flow", source="TS 23.501 table 5.7.4-1", ge=1, le=254)
    priority: int = quantity(
        90, "priority level, 1 comes first", source="TS 23.501 table 5.7.4-1", ge=1, le=127
    )


class SourceTraffic(LoadTraffic, ABC):
    """A traffic model: a class of the ns-3 module makes its packets."""

    @abstractmethod
    def source_class(self) -> str:
        """Return the name of ns-3's class of this model."""

    @abstractmethod
    def attributes(self, ues: int) -> dict[str, Any]:
        """Return the attributes of ns-3's class, for one of `ues` UEs."""

    def ns3_source(self, ues: int) -> str:
        """Return the model as ns-3 writes it: ns3::Class[Attribute=Value|...]."""
        attributes: dict[str, Any] = {"PacketBytes": self.packet_bytes, **self.attributes(ues)}
        if self.budget_s is not None:
            attributes["Budget"] = _time(self.budget_s)
        text = "|".join(f"{name}={value}" for name, value in attributes.items())
        return f"ns3::{self.source_class()}[{text}]"


class FtpTraffic(SourceTraffic):
    """Files: 3GPP's FTP models 1 and 3, or NGMN's with reading times."""

    kind: Literal["ftp"] = quantity(..., "ftp: files")
    model: Literal["1", "3", "ngmn"] = quantity(
        "3",
        "1: files of all UEs together arrive at rate_hz; 3: those of each UE do; ngmn: log-normal "
        "sizes of 2 MB on average and a reading time after each",
        source=f"TR 36.814 clause A.2.1.3.1, TR 36.889 clause A.1.1, {NGMN}",
    )
    rate_hz: float = quantity(0.5, "files a second; not with ngmn", unit="1/s", gt=0.0, le=1e4)
    file_bytes: int = quantity(
        500_000,
        "size of a file; not with ngmn",
        unit="bytes",
        source="0.5 MB: TR 36.889 clause A.1.1; 2 MB: TR 36.814 table A.2.1.3.1-1",
        ge=1,
        le=2**31 - 1,
    )
    reading_s: float = quantity(
        180.0, "mean reading time of ngmn", unit="s", source=NGMN, gt=0.0, le=1e5
    )
    queue_bytes: int | None = quantity(
        FILE_QUEUE_BYTES, "RLC queue of the flow", unit="bytes", ge=100, le=2**32 - 1
    )

    def source_class(self) -> str:
        """Return ns-3's class."""
        return "NrFileSource"

    def attributes(self, ues: int) -> dict[str, Any]:
        """Return its attributes; a Poisson process dealt out at random is one for each UE."""
        if self.model == "ngmn":
            return {"Rate": 0, "FileBytes": 0, "ReadingTime": _time(self.reading_s)}
        rate_hz = self.rate_hz / ues if self.model == "1" else self.rate_hz
        return {"Rate": repr(rate_hz), "FileBytes": self.file_bytes}


class VideoTraffic(SourceTraffic):
    """NGMN's video streaming: 8 packets of 100 bytes on average in 100 ms."""

    kind: Literal["video"] = quantity(..., "video: NGMN video streaming", source=NGMN)

    def source_class(self) -> str:
        """Return ns-3's class."""
        return "NrVideoSource"

    def attributes(self, ues: int) -> dict[str, Any]:
        """Return nothing: the model has no parameters here."""
        del ues
        return {}


class XrTraffic(SourceTraffic):
    """Extended reality: frames as PDU sets, or pose updates."""

    kind: Literal["xr"] = quantity(..., "xr: extended reality", source="TR 38.838 clause 5.1")
    stream: Literal["video", "pose"] = quantity(
        "video", "frames of rate_bps, or 100 bytes every 4 ms without jitter"
    )
    rate_bps: float = quantity(
        30e6,
        "mean rate of video",
        unit="bit/s",
        source="AR/VR 30 and 45 Mbit/s, CG 8 and 30: TR 38.838 tables 5.1.1.1-1",
        gt=0.0,
        le=1e10,
    )
    frame_rate_hz: float = quantity(60.0, "frames a second of video", unit="1/s", gt=0.0, le=1e3)
    group: int = quantity(
        0,
        "frames of a group of pictures, the first of which is an I frame with importance 1; the "
        "others have 0.5; 0 for equal frames",
        ge=0,
        le=1000,
    )
    intra_ratio: float = quantity(
        2.0,
        "mean size of I frames over that of others",
        source="1.5, 2 or 3: TR 38.838 clause 5.1.1.2",
        ge=1.0,
        le=100.0,
    )
    budget_s: float | None = quantity(
        0.01,
        "delay after which a packet is useless and leaves the queue",
        unit="s",
        source="AR/VR 10 ms, CG 15 ms: TR 38.838 clause 5.1",
        gt=0.0,
        le=3600.0,
    )

    def source_class(self) -> str:
        """Return ns-3's class."""
        return "NrXrSource"

    def attributes(self, ues: int) -> dict[str, Any]:
        """Return its attributes."""
        del ues
        if self.stream == "pose":
            fixed = {"SizeDeviation": 0, "JitterDeviation": "0ns", "JitterMost": "0ns"}
            return {"Rate": 100 * 8 * 250, "FrameRate": 250, **fixed}
        return {
            "Rate": repr(self.rate_bps),
            "FrameRate": repr(self.frame_rate_hz),
            "Group": self.group,
            "IntraRatio": repr(self.intra_ratio),
        }


class TokenTraffic(SourceTraffic):
    """Token traffic as proposed in 3GPP RAN1: packets that hold a whole number of tokens."""

    kind: Literal["tokens"] = quantity(
        ..., "tokens: 3GPP token traffic", source="R1-2508734, R1-2509387"
    )
    option: Literal["1a", "1b"] = quantity(
        "1a", "1a: bursts of packets of tokens; 1b: a language model's sessions as packets"
    )
    token_bytes: int = quantity(16, "size of a token", unit="bytes", ge=1, le=65_507)
    tokens: int = quantity(4, "tokens of a packet", ge=1, le=65_507)
    packets: int = quantity(8, "packets of a burst (1a) or, on average, of an answer (1b)", ge=1)
    important_packets: int = quantity(
        2, "packets of a burst with importance 1; the others have 0.5 (1a)", ge=0
    )
    rate_hz: float = quantity(10.0, "bursts a second (1a)", unit="1/s", gt=0.0, le=1e5)
    thinking_s: float = quantity(5.0, "mean time before a question (1b)", unit="s", gt=0.0)
    first_token_s: float = quantity(
        0.3, "time from the question to the first token (1b)", unit="s", ge=0.0
    )
    stream_hz: float = quantity(20.0, "packets a second of an answer (1b)", unit="1/s", gt=0.0)

    def source_class(self) -> str:
        """Return ns-3's class."""
        return "NrTokenSource"

    def attributes(self, ues: int) -> dict[str, Any]:
        """Return its attributes."""
        del ues
        common = {"TokenBytes": self.token_bytes, "Tokens": self.tokens, "Packets": self.packets}
        if self.option == "1a":
            return common | {
                "BurstRate": repr(self.rate_hz),
                "ImportantPackets": self.important_packets,
            }
        return common | {
            "Sessions": "true",
            "ThinkingTime": _time(self.thinking_s),
            "FirstToken": _time(self.first_token_s),
            "StreamRate": repr(self.stream_hz),
        }


class FullBufferTraffic(SourceTraffic):
    """A queue that is never empty."""

    kind: Literal["full-buffer"] = quantity(..., "full-buffer: always something to send")
    backlog_bytes: int = quantity(
        200_000, "bytes that wait at the radio", unit="bytes", ge=100, le=10**8
    )

    def source_class(self) -> str:
        """Return ns-3's class."""
        return "NrFullBufferSource"

    def attributes(self, ues: int) -> dict[str, Any]:
        """Return its attributes."""
        del ues
        return {"Backlog": self.backlog_bytes}


class TcpTraffic(LoadTraffic):
    """Bulk data over ns-3's TCP, as much as it carries."""

    kind: Literal["tcp"] = quantity(..., "tcp: bulk data over TCP")
    rlc: Literal["um", "am"] = quantity(
        "am", "RLC mode, of data and of TCP's acknowledgements", source="TS 38.322 clause 4.2.1"
    )
    in_order: bool = quantity(True, "PDCP delivers packets in the order in which they were sent")


def _time(seconds: float) -> str:
    return f"{seconds * 1e9:.0f}ns"
