# SPDX-License-Identifier: MIT
"""A gain that is the same everywhere and always: results can be derived by hand."""

import numpy as np
import numpy.typing as npt

from sionna_phy.channel.base import ChannelProducer


class ConstantProducer(ChannelProducer):
    """`gain_db` on every link to the serving cell, nothing between a UE and the other cells."""

    def gains(self, number: int) -> npt.NDArray[np.float32]:
        """Return the block; it does not depend on `number`."""
        del number
        spec = self.spec
        serving = np.arange(len(spec.cell_positions_m))[:, None] == spec.serving_cell[None, :]
        one = np.where(serving, 10.0 ** (spec.gain_db / 10.0), 0.0).astype(np.float32)
        shape = (spec.samples_per_block, *one.shape, spec.planes, spec.prbs)
        return np.broadcast_to(one[None, :, :, None, None], shape)
