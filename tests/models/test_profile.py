# SPDX-License-Identifier: MIT
"""The roofline, by hand."""

import pytest

from models.compression import PROFILES, DeviceProfile, ProfileError, get_profile

DEVICE = DeviceProfile("d", 1e9, 1e8, 0.001, 2e-12, 1e-10)


def test_the_slower_of_arithmetic_and_memory_counts():
    # ridge at 10 operations a byte: 1e7 operations take 10 ms, 1e6 bytes too
    assert DEVICE.latency_s(1e7, 0.5e6) == pytest.approx(0.011)
    assert DEVICE.latency_s(0.5e7, 1e6) == pytest.approx(0.011)
    assert DEVICE.latency_s(1e7, 3e6) == pytest.approx(0.031)
    assert DEVICE.latency_s(0, 0) == pytest.approx(0.001)


def test_energies_add_up():
    assert DEVICE.energy_j(1e9, 1e7) == pytest.approx(2e-3 + 1e-3)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_a_number_that_no_device_has_names_its_field(value):
    with pytest.raises(ProfileError, match="peak_flops"):
        DeviceProfile("d", value, 1e8, 0.0, 0.0, 0.0)


def test_presets_are_found_by_name_and_unknown_ones_listed():
    assert all(get_profile(name).name == name for name in PROFILES)
    with pytest.raises(ProfileError, match="known: phone"):
        get_profile("telephone")


def test_presets_are_ordered_as_the_hardware_is():
    sentence = (8 * 3.54e6 * 2 * 26, 57e6)  # eight layers of the default model, 26 tokens
    times = [get_profile(n).latency_s(*sentence) for n in ("edge-server", "phone", "iot")]
    assert times == sorted(times)
