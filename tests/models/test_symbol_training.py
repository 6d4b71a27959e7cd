# SPDX-License-Identifier: MIT
"""Noise in training is the noise of delivery as symbols."""

import numpy as np
import torch

from cosim.delivery import LinkConfig, send_values
from models.training.multi_model import Noise


def test_training_noise_is_that_of_delivery():
    # Values of unit variance, two a symbol of unit energy: x + n with n of variance N, times the
    # least-squares factor 1 / (1 + N). Its error is N / (1 + N) of the variance.
    generator = torch.Generator().manual_seed(1)
    values = torch.randn(400, 50, generator=generator)
    for snr_db in (-6.0, 0.0, 9.0):
        power = 10 ** (-snr_db / 10)
        trained = Noise(power, generator).received(values)
        rng = np.random.default_rng(1)
        link = LinkConfig(snr_db=snr_db, pilots=False)
        sent = send_values(values.double().numpy(), link, rng).values
        want = power / (1 + power)
        for got in (trained.double(), torch.from_numpy(sent)):
            error = float((got - values).square().mean())
            # 20 000 errors of a Gaussian: a standard deviation of 1 % of their mean square;
            # clipping at 3 sigma adds less than that.
            assert abs(error / want - 1) < 0.05


def test_without_noise_values_are_only_clipped():
    values = torch.tensor([[-4.0, 0.5, 3.5]])
    got = Noise(0.0, torch.Generator()).received(values)
    assert got.tolist() == [[-3.0, 0.5, 3.0]]
