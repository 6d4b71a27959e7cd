# SPDX-License-Identifier: MIT
import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.plan import make_plan
from cosim.scenario import SemanticTraffic, load_scenario
from cosim.seeding import derive_seed


def plan_of(*overrides, seed=1):
    return make_plan(load_scenario("demo", overrides=list(overrides), seed=seed))


def test_flows_are_numbered_from_one_so_that_zero_can_mean_none():
    plan = plan_of()
    assert [flow.number for flow in plan.flows] == list(range(1, len(plan.flows) + 1))
    assert len({flow.port for flow in plan.flows}) == len(plan.flows)


def test_ues_are_uniform_over_the_area_of_the_ring():
    # P(distance < r) = (r^2 - a^2)/(b^2 - a^2): with a = 100, b = 200 half of the UEs are within
    # sqrt((1e4 + 4e4)/2) = 158.1 m. 2000 UEs: standard deviation of the share sqrt(.25/2000) =
    # .011.
    plan = plan_of("ues.count=2000", "ues.min_distance_m=100.0", "ues.max_distance_m=200.0")
    distance = np.hypot(plan.ue_positions_m[:, 0], plan.ue_positions_m[:, 1])
    assert distance.min() >= 100 and distance.max() <= 200
    assert np.mean(distance < 158.1) == pytest.approx(0.5, abs=5 * 0.0112)


def test_poisson_arrivals_have_the_rate_and_stay_in_the_run():
    plan = plan_of("run.duration_s=1000.0", "ues.count=1")
    flow = plan.flows[0]
    assert isinstance(flow.traffic, SemanticTraffic)
    arrivals = plan.arrivals_s(flow)
    expected = flow.traffic.rate_hz * 1000
    assert len(arrivals) == pytest.approx(expected, abs=5 * expected**0.5)
    assert np.all(np.diff(arrivals) >= 0) and arrivals[0] >= 0 and arrivals[-1] < 1000
    # exponential gaps: their standard deviation equals their mean (5 sigma of its estimate)
    gaps = np.diff(arrivals)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=5 * (2 / len(gaps)) ** 0.5)


def test_two_codecs_of_one_task_are_given_the_same_samples():
    plan = plan_of()
    by_ue_and_task = {}
    for flow in plan.flows:
        if isinstance(flow.traffic, SemanticTraffic):
            key = (flow.ue, flow.traffic.task)
            by_ue_and_task.setdefault(key, []).append(plan.sample_indices(flow, 20, 1000))
    for first, *others in by_ue_and_task.values():
        assert others and all(np.array_equal(first, other) for other in others)


@given(count=st.integers(0, 50), available=st.integers(1, 20))
def test_no_sample_comes_twice_before_all_came_once(count, available):
    plan = plan_of("ues.count=1")
    chosen = plan.sample_indices(plan.flows[0], count, available)
    assert len(chosen) == count
    for first in range(0, count - available + 1, available):
        assert len(set(chosen[first : first + available])) == available


def test_the_plan_follows_from_the_seed():
    one, again, other = plan_of(seed=3), plan_of(seed=3), plan_of(seed=4)
    for field in dataclasses.fields(one):
        if isinstance(getattr(one, field.name), np.ndarray):
            assert np.array_equal(getattr(one, field.name), getattr(again, field.name))
    assert not np.array_equal(one.ue_positions_m, other.ue_positions_m)


def test_derived_seeds_do_not_collide_between_neighbours():
    seeds = {derive_seed(s, name, i) for s in range(50) for name in "ab" for i in range(50)}
    assert len(seeds) == 50 * 2 * 50
    assert all(0 <= derive_seed(s, "x", bits=31) < 2**31 for s in range(1000))
