# SPDX-License-Identifier: MIT
"""Ray tracing: free space and a wall by hand, together and alone, and what goes wrong."""

import numpy as np
import pytest

from sionna_phy.channel import ChannelSpecError, make_producer
from sionna_phy.channel.llvm import LlvmError, find_llvm
from sionna_phy.channel.raytraced import RayTracedProducer, RayTracingError, TracerProcess

SPEED_OF_LIGHT_M_S = 299_792_458.0


@pytest.fixture(scope="module")
def llvm():
    try:
        return find_llvm()
    except LlvmError as error:
        pytest.skip(str(error))


@pytest.fixture
def make_rt(make_spec, llvm):
    made = []

    def make(**changes):
        fields = {"model": "rt", "gnb_rows": 1, "gnb_columns": 1, "rt_samples": 20_000}
        made.append(RayTracedProducer(make_spec(**(fields | changes))))
        return made[-1]

    yield make
    for producer in made:
        producer.close()


def test_a_floor_and_a_wall_by_hand(make_rt):
    # Straight above a floor there is the direct path and one reflection. 40 m apart in free space:
    # (c / (4 pi f d))^2.
    spec = {
        "scene": "floor_wall",
        "cell_positions_m": np.array([[-2.0, -20.0, 1.5]]),
        "ue_positions_m": np.array([[-2.0, 20.0, 1.5]]),
        "ue_velocities_m_s": np.array([[0.0, 3.0, 0.0]]),
        "ue_indoor": np.zeros(1, bool),
        "serving_cell": np.zeros(1, int),
        "rt_max_depth": 1,
    }
    rays = make_rt(ues=1, **spec).rays(0)
    delay = rays.delay_s[0, 0].numpy()
    direct = int(np.argmin(np.where(delay > 0, delay, np.inf)))
    assert delay[direct] == pytest.approx(40 / SPEED_OF_LIGHT_M_S, rel=1e-6)
    power = abs(complex(rays.amplitude[0, 0, direct, 0, 0])) ** 2
    free_space = (SPEED_OF_LIGHT_M_S / (4 * np.pi * 3.5e9 * 40)) ** 2
    assert power == pytest.approx(free_space, rel=1e-4)
    # It moves away from the cell at 3 m/s: -v f / c.
    doppler = float(rays.doppler_hz[0, 0, direct, 0])
    assert doppler == pytest.approx(-3.0 * 3.5e9 / SPEED_OF_LIGHT_M_S, rel=1e-4)


def test_links_together_equal_links_one_by_one(make_rt):
    # Oracle 5. The order of paths may differ; gains are sums over them in single precision.
    rng = np.random.default_rng(4)
    ues = 6
    places = np.column_stack([rng.uniform(-30, 30, (ues, 2)), np.full(ues, 1.5)])
    cells = np.array([[0.0, 0.0, 12.0], [25.0, -3.0, 15.0]])

    def gains(chosen):
        producer = make_rt(
            ues=len(chosen),
            cells=2,
            scene="simple_street_canyon",
            cell_positions_m=cells,
            ue_positions_m=places[chosen],
            ue_velocities_m_s=np.tile([[1.0, 0.5, 0.0]], (len(chosen), 1)),
            serving_cell=np.zeros(len(chosen), int),
            ue_indoor=np.zeros(len(chosen), bool),
        )
        block = producer.gains(1)
        producer.close()
        return block

    together = gains(np.arange(ues))
    assert (together > 0).any()
    for ue in (0, 3, 5):
        alone = gains(np.array([ue]))
        assert together[:, :, [ue]] == pytest.approx(alone, rel=2e-4, abs=1e-16)


def test_paths_turn_until_a_step_is_done(make_rt):
    # 3 m/s and blocks of 20 ms: 6 cm a block; a step of 0.25 m are 4 blocks. The free-space phase
    # goes on over them, and over the border of two steps: by 2 pi v T / lambda a block either way.
    velocity = np.array([[0.0, 3.0, 0.0]])
    producer = make_rt(
        ues=1,
        scene="floor_wall",
        cell_positions_m=np.array([[-2.0, -20.0, 1.5]]),
        ue_positions_m=np.array([[-2.0, 20.0, 1.5]]),
        ue_velocities_m_s=velocity,
        ue_indoor=np.zeros(1, bool),
        serving_cell=np.zeros(1, int),
        rt_step_m=0.25,
    )
    assert producer.blocks_of_a_solve == 4
    blocks = np.stack([producer.gains(n)[:, 0, 0, 0] for n in range(9)]).reshape(36, -1)
    level = 10 * np.log10(blocks)
    # Two or three paths beat against each other slowly: no sample differs by a decibel from the one
    # before, at the border of steps as elsewhere.
    change = np.abs(np.diff(level, axis=0)).max(axis=1)
    assert change.max() < 1.0
    again = make_rt(ues=1, **{f: getattr(producer.spec, f) for f in (
        "scene", "cell_positions_m", "ue_positions_m", "ue_velocities_m_s", "ue_indoor",
        "serving_cell", "rt_step_m")})  # fmt: skip
    assert np.array_equal(again.gains(6), producer.gains(6))


def test_candidates_are_kept_for_a_while_and_paths_stay_exact(make_rt):
    # 50 m/s and blocks of 10 ms: 0.5 m a block and a solve, a search every 4 of them. The direct
    # path and the floor's are known at once, so nothing differs from searching in each block.
    def make(search_m, **changes):
        return make_rt(
            ues=1, scene="floor_wall", cell_positions_m=np.array([[-2.0, -20.0, 1.5]]),
            ue_positions_m=np.array([[-2.0, 20.0, 1.5]]),
            ue_velocities_m_s=np.array([[0.0, 50.0, 0.0]]), ue_indoor=np.zeros(1, bool),
            serving_cell=np.zeros(1, int), block_duration_s=0.01, rt_search_m=search_m, **changes,
        )  # fmt: skip

    kept, always = make(2.0), make(0.1)
    assert (kept.blocks_of_a_search, always.blocks_of_a_search) == (4, 1)
    for number in (0, 1, 3, 4):
        assert kept.gains(number) == pytest.approx(always.gains(number), rel=1e-4)
    # Straight to a block in the middle: the search is made where it would have been.
    assert np.array_equal(make(2.0).gains(3), kept.gains(3))


def test_without_interactions_only_direct_paths_are_solved():
    # A search for surfaces has nothing to look for then, also where the UE has left the place of
    # the last search; a solve with neither direct path nor depth would be asked for otherwise.
    from sionna_phy.channel import tracer

    asked = []

    class Recorder(tracer.Tracer):
        def __init__(self):
            self._options = {"max_depth": 0}
            self._kept = self._kept_of = None

        def _put(self, places, velocities):
            pass

        def _solve(self, direct, depth, ues):
            asked.append((direct, depth))
            return {"a": np.ones((ues, 1))}

    Recorder().solve([[1.0, 0.0, 1.5]], [[1.0, 0.0, 0.0]], searched=[[0.0, 0.0, 1.5]])
    assert asked == [(True, 0)]


def test_free_space_alone_while_moving(make_rt):
    # 50 m/s, blocks of 10 ms, a search every 4 of them: block 3 is solved away from its search.
    # 40 + 0.5 x 3 = 41.5 m from the cell at its start, 42 m at its end.
    producer = make_rt(
        ues=1, scene="floor_wall", cell_positions_m=np.array([[-2.0, -20.0, 1.5]]),
        ue_positions_m=np.array([[-2.0, 20.0, 1.5]]),
        ue_velocities_m_s=np.array([[0.0, 50.0, 0.0]]), ue_indoor=np.zeros(1, bool),
        serving_cell=np.zeros(1, int), block_duration_s=0.01, rt_max_depth=0,
    )  # fmt: skip
    assert producer.blocks_of_a_search > 3
    low, high = ((SPEED_OF_LIGHT_M_S / (4 * np.pi * 3.5e9 * d)) ** 2 for d in (42.0, 41.5))
    gains = producer.gains(3)
    assert gains.min() > low * (1 - 1e-3) and gains.max() < high * (1 + 1e-3)


def test_a_full_path_buffer_is_an_error(make_rt):
    producer = make_rt(scene="simple_street_canyon", rt_paths=1)
    with pytest.raises(ChannelSpecError, match="raise rt_paths"):
        producer.gains(0)


def test_an_unknown_scene_is_refused_with_those_there_are(make_rt):
    with pytest.raises(ChannelSpecError, match=r"scene: 'munch' is neither .* munich"):
        make_rt(scene="munch").prepare()


def test_a_scene_is_needed(make_spec):
    with pytest.raises(ChannelSpecError, match="needs a scene"):
        make_producer(make_spec(model="rt"))


def test_a_missing_library_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.delenv("DRJIT_LIBLLVM_PATH", raising=False)
    with pytest.raises(LlvmError, match=r"there is none: install LLVM 19 .*libllvm19"):
        find_llvm([str(tmp_path)])
    (tmp_path / "libLLVM-15.so.1").touch()
    with pytest.raises(LlvmError, match="only 15 are there"):
        find_llvm([str(tmp_path)])
    (tmp_path / "libLLVM.so.19.1").touch()
    (tmp_path / "libLLVM-18.so.1").touch()
    assert find_llvm([str(tmp_path)]).name == "libLLVM.so.19.1"
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", str(tmp_path / "absent.so"))
    with pytest.raises(LlvmError, match="is no file"):
        find_llvm()


def test_a_library_that_does_not_work_ends_the_child_and_not_the_run(tmp_path, monkeypatch):
    broken = tmp_path / "libLLVM.so"
    broken.write_bytes(b"this is no library")
    monkeypatch.setenv("DRJIT_LIBLLVM_PATH", str(broken))
    options = {
        "scene": "floor_wall", "frequency_hz": 3.5e9, "cells_m": [[0.0, 0.0, 2.0]],
        "orientations_rad": [[0.0, 0.0, 0.0]], "rows": 1, "columns": 1, "dual": False,
        "pattern": "omni", "ue_antennas": 1, "max_depth": 1, "samples": 1000, "paths": 10,
        "seed": 1,
    }  # fmt: skip
    with pytest.raises((RayTracingError, ChannelSpecError)) as caught:
        process = TracerProcess(options)
        process.solve(np.zeros((1, 3)), np.zeros((1, 3)))
    assert "libllvm19" in str(caught.value) or "LLVM" in str(caught.value)
