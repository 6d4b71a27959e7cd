# SPDX-License-Identifier: MIT
"""Channel producers: numbered blocks of per-PRB gains of all links at once."""

from sionna_phy.channel.base import ChannelBlockArray, ChannelProducer, make_producer
from sionna_phy.channel.spec import ChannelSpec

__all__ = ["ChannelBlockArray", "ChannelProducer", "ChannelSpec", "make_producer"]
