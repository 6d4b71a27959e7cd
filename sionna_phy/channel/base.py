# SPDX-License-Identifier: MIT
"""The interface of channel producers, and the choice among them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.spec import ChannelSpec, ChannelSpecError


@dataclass(frozen=True)
class ChannelBlockArray:
    """A block of gains.

    Attributes:
        number: from 0; block n begins where n-1 ends.
        t_start_s: simulated time of its first sample.
        sample_interval_s: each sample holds for so long.
        gains: float32 power gains, linear, shape [times, cells, ues, planes, prbs], with path loss,
            shadowing, antennas and beamforming. Planes are layers, and with `any_cell_serves` one
            more: gains as interferers.
    """

    number: int
    t_start_s: float
    sample_interval_s: float
    gains: npt.NDArray[np.float32]


class ChannelProducer(ABC):
    """Makes blocks. Block n follows from the spec and n alone, whatever was asked before."""

    def __init__(self, spec: ChannelSpec) -> None:
        self.spec = spec

    def prepare(self) -> None:
        """Do what all blocks share; `block` does it itself if this was not called."""
        return  # nothing, unless a model has something

    @abstractmethod
    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return the gains of block `number`, shape [times, cells, ues, layers, prbs]."""

    def block(self, number: int) -> ChannelBlockArray:
        """Return block `number`.

        Raises:
            ValueError: the number is negative.
        """
        if number < 0:
            raise ValueError(f"blocks are numbered from 0; there is no block {number}")
        return ChannelBlockArray(
            number=number,
            t_start_s=number * self.spec.block_duration_s,
            sample_interval_s=self.spec.sample_interval_s,
            gains=np.ascontiguousarray(self.gains(number), dtype=np.float32),
        )


ProducerFactory = Callable[[ChannelSpec], ChannelProducer]
_FACTORIES: dict[str, ProducerFactory] = {}


def register(*names: str) -> Callable[[ProducerFactory], ProducerFactory]:
    """Let `make_producer` call the decorated factory for these models.

    A factory imports what it needs when it is called: Sionna takes seconds, and a constant channel
    does not need it.
    """

    def add(factory: ProducerFactory) -> ProducerFactory:
        for name in names:
            if name in _FACTORIES:
                raise ValueError(f"channel model {name!r} is registered already")
            _FACTORIES[name] = factory
        return factory

    return add


def models() -> tuple[str, ...]:
    """Return the names of all channel models."""
    return tuple(sorted(_FACTORIES))


def make_producer(spec: ChannelSpec) -> ChannelProducer:
    """Return the producer for a spec's model.

    Raises:
        ChannelSpecError: no such model.
    """
    factory = _FACTORIES.get(spec.model)
    if factory is None:
        raise ChannelSpecError(f"no channel model {spec.model!r}; there are {', '.join(models())}")
    return factory(spec)


@register("constant")
def _constant(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.constant import ConstantProducer

    return ConstantProducer(spec)


@register("distance")
def _distance(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.distance import DistanceProducer

    return DistanceProducer(spec)


@register("umi", "uma", "rma", "inh", "inf")
def _tr38901(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.tr38901 import Tr38901Producer

    return Tr38901Producer(spec)


@register(*(f"tdl-{profile}" for profile in "abcde"))
def _tdl(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.link_level import TdlProducer

    return TdlProducer(spec)


@register(*(f"cdl-{profile}" for profile in "abcde"))
def _cdl(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.link_level import CdlProducer

    return CdlProducer(spec)


@register("replay")
def _replay(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.recorded import RecordedProducer

    return RecordedProducer(spec)


@register("rt")
def _ray_traced(spec: ChannelSpec) -> ChannelProducer:
    from sionna_phy.channel.raytraced import RayTracedProducer

    return RayTracedProducer(spec)
