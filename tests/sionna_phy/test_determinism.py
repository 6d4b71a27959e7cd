# SPDX-License-Identifier: MIT
"""A block follows from the description and its number alone."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from sionna_phy.channel import make_producer

CHILD = """
import hashlib, sys
import numpy as np
from sionna_phy.channel import ChannelSpec, make_producer
spec = ChannelSpec(
    model="umi", carrier_frequency_hz=3.5e9, prbs=11, subcarrier_spacing_hz=30e3,
    cell_positions_m=np.array([[0.0, 0.0, 10.0], [200.0, 0.0, 10.0]]),
    ue_positions_m=np.array([[50.0, 20.0, 1.5], [120.0, -30.0, 1.5], [-60.0, 10.0, 1.5]]),
    ue_velocities_m_s=np.array([[3.0, 0.0, 0.0], [0.0, 20.0, 0.0], [0.0, 0.0, 0.0]]),
    ue_indoor=np.array([False, False, True]), serving_cell=np.array([0, 1, 0]),
    gnb_rows=2, gnb_columns=2, ue_antennas=2, seed=11,
)
producer = make_producer(spec)
for number in eval(sys.argv[1]):
    print(number, hashlib.sha256(producer.block(number).gains.tobytes()).hexdigest())
"""


def run_child(order, threads):
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, repr(order)],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return dict(line.split() for line in done.stdout.splitlines())


def test_processes_orders_and_thread_counts_give_the_same_bytes():
    forwards = run_child([0, 1, 2, 7], threads=1)
    backwards = run_child([7, 0], threads=2)
    assert len(set(forwards.values())) == 4  # blocks differ from one another
    assert backwards == {number: forwards[number] for number in ("0", "7")}


def digest(producer, number):
    return hashlib.sha256(producer.block(number).gains.tobytes()).hexdigest()


@pytest.mark.parametrize("model", ["umi", "uma", "rma"])
def test_a_block_does_not_depend_on_those_before(make_spec, model):
    spec = make_spec(model=model)
    asked_alone = digest(make_producer(spec), 7)
    producer = make_producer(spec)
    assert [digest(producer, n) for n in range(8)][7] == asked_alone


def test_the_seed_counts(make_spec):
    blocks = [make_producer(make_spec(seed=seed)).block(0).gains for seed in (1, 2)]
    assert not np.array_equal(*blocks)


def test_other_random_numbers_of_the_process_do_not_matter_and_go_on(make_spec):
    import torch

    expected = digest(make_producer(make_spec()), 0)
    torch.manual_seed(1)
    torch.rand(3)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    torch.rand(3)
    threads = torch.get_num_threads()
    assert digest(make_producer(make_spec()), 0) == expected
    # A notebook's own torch is left as it was.
    assert torch.equal(torch.rand(3), wanted)
    assert torch.get_num_threads() == threads


def test_two_producers_side_by_side(make_spec):
    one, other = make_producer(make_spec(seed=1)), make_producer(make_spec(seed=2))
    alone = digest(make_producer(make_spec(seed=1)), 1)
    one.prepare()
    other.block(1)
    assert digest(one, 1) == alone
