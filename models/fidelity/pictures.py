# SPDX-License-Identifier: MIT
"""PSNR and multi-scale structural similarity of 8-bit pictures."""

import math

import numpy as np
from numpy.typing import NDArray

from models.tasks.base import Picture, TaskError

PSNR_CAP_DB = 60.0
"""What equal pictures get, whose ratio is infinite: a mean over pictures must stay finite."""

_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Plane = NDArray[np.float64]


def psnr_db(sent: Picture, received: Picture) -> float:
    """Return 10·log10(255² / MSE) over all three colours, dB, at most `PSNR_CAP_DB`.

    Raises:
        TaskError: the pictures differ in size.
    """
    error = _array(sent) - _array(received, like=sent)
    mse = float(np.mean(error**2))
    return PSNR_CAP_DB if mse == 0 else min(PSNR_CAP_DB, 10 * math.log10(255.0**2 / mse))


def ms_ssim(sent: Picture, received: Picture) -> float:
    """Return the multi-scale structural similarity of the luma, 0 to 1.

    Z. Wang, E. P. Simoncelli, A. C. Bovik, Asilomar 2003: Gaussian window of 11 x 11 with σ = 1.5,
    means of 2 x 2 between scales, five weights. A small picture has fewer scales: as many as leave
    the window room (three at 64 x 64, two at 32 x 32), with the first weights scaled to sum 1.
    Negative contrast terms count as 0. Luma is that of ITU-R BT.601.

    Raises:
        TaskError: the pictures differ in size, or are smaller than the window.
    """
    x, y = _luma(_array(sent)), _luma(_array(received, like=sent))
    side = min(x.shape)
    if side < _WINDOW:
        raise TaskError(f"MS-SSIM needs pictures of {_WINDOW} x {_WINDOW} and more, not {side}")
    scales = min(len(_WEIGHTS), 1 + int(math.log2(side / _WINDOW)))
    weights = np.array(_WEIGHTS[:scales]) / sum(_WEIGHTS[:scales])
    product = 1.0
    for scale, weight in enumerate(weights):
        luminance, contrast = _terms(x, y)
        term = float(np.mean(luminance * contrast if scale == scales - 1 else contrast))
        product *= max(term, 0.0) ** float(weight)
        x, y = _halved(x), _halved(y)
    return product


def _array(picture: Picture, like: Picture | None = None) -> Plane:
    """Return pixels, shape [height, width, 3]."""
    size = (picture.width, picture.height)
    if like is not None and size != (like.width, like.height):
        raise TaskError(
            f"pictures of {like.width} x {like.height} and {size[0]} x {size[1]} pixels cannot be "
            "compared: bring them to one size first"
        )
    flat = np.frombuffer(picture.pixels, np.uint8).astype(np.float64)
    return flat.reshape(picture.height, picture.width, 3)


def _luma(pixels: Plane) -> Plane:
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114]))


def _blurred(plane: Plane) -> Plane:
    """Return the plane under the window wherever it fits whole."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    taps = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    taps /= taps.sum()
    for axis in (0, 1):
        plane = np.lib.stride_tricks.sliding_window_view(plane, _WINDOW, axis=axis) @ taps
    return plane


def _terms(x: Plane, y: Plane) -> tuple[Plane, Plane]:
    """Return the luminance term and the product of contrast and structure, at each place."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x, var_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    both = _blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    return luminance, (2 * both + _C2) / (var_x + var_y + _C2)


def _halved(plane: Plane) -> Plane:
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    whole = plane[:height, :width]
    return np.asarray(whole.reshape(height // 2, 2, width // 2, 2).mean((1, 3)))
