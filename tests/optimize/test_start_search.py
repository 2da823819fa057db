"""Where an optimization of turns and directions starts."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import torch
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.load import load_config
from mitsuba_mei.experiments.inverse import towards_target
from mitsuba_mei.optimize import start_search as search
from mitsuba_mei.optimize.start_search import find_start, spread_rotations
from mitsuba_mei.pipeline import Pipeline, build_pipeline
from tests.small_scene import LUMP, write_scene

TRUE_TURN, TRUE_SUN = [40.0, 65.0, -30.0], [0.7, -0.5, -0.6]


def turns(count: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return roma.random_rotmat(count, dtype=torch.float64, generator=generator)


def nearest_degrees(some: torch.Tensor, others: torch.Tensor) -> np.ndarray:
    """Of each of some rotations, the angle to the nearest of others."""
    traces = torch.einsum("aij,bij->ab", some, others)
    return torch.rad2deg(torch.acos((0.5 * (traces - 1)).clamp(-1, 1))).amin(1).numpy()


@given(st.integers(1, 300), st.integers(0, 1000))
def test_spread_rotations_are_rotations(count, seed):
    found = spread_rotations(count, turns(1, seed)[0])
    assert found.shape == (count, 3, 3)
    torch.testing.assert_close(found @ found.mT, torch.eye(3, dtype=torch.float64).expand(count, 3, 3))
    torch.testing.assert_close(torch.linalg.det(found), torch.ones(count, dtype=torch.float64))


@pytest.mark.parametrize("count", [30, 500])
def test_they_leave_no_gap(count):
    # A ball of half an angle a fills (a - sin a) / pi of all rotations, and with 1 / count of it a is about
    # (6 pi / count)^(1/3). The worst of many rotations is no farther than 1.75 times that from the nearest.
    cell = math.degrees((6 * math.pi / count) ** (1 / 3))
    somewhere = turns(4000, 1)
    for seed in (0, 1):
        distances = nearest_degrees(somewhere, spread_rotations(count, turns(1, seed)[0]))
        assert distances.max() < 1.75 * cell
        assert distances.max() < nearest_degrees(somewhere, turns(count, seed)).max()
        assert nearest_degrees(spread_rotations(count, turns(1, seed)[0]), somewhere).max() < 20


def test_the_first_turns_them_all():
    first = turns(1, 5)[0]
    torch.testing.assert_close(spread_rotations(9, first), spread_rotations(9, torch.eye(3)) @ first)


# --------------------------------------------------------------------------------------------------------- find_start

SUN = {"type": "sun", "irradiance": 3.0, "sharpness": 50}
SKY = {"type": "constant", "radiance": 0.3}


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    """Fewer are improved than usual, and by less: most of the time goes there."""
    for name, value in {"FIRST": 2, "SECOND": 1, "STEPS": 6}.items():
        monkeypatch.setattr(search, name, value)


@pytest.fixture
def recovering(tmp_path):
    """The experiment of a lump whose turn, sun or both are sought, from a start that is far off."""

    def built(turn: bool = True, sun: bool = True, views: int = 1, free: tuple[str, ...] = (), **parts) -> Pipeline:
        true_sun = {**SUN, "direction": TRUE_SUN}
        shape = {"shape": LUMP}
        write_scene(tmp_path, "truth", pose={"rotation": TRUE_TURN}, lighting=[true_sun, SKY], **shape)
        off = {**SUN, "direction": [-0.6, -0.5, -1.0], "free": ["direction"]} if sun else true_sun
        pose = {"rotation": [0, 0, 0], "free": ["rotation"]} if turn else {"rotation": TRUE_TURN}
        said = {"type": "image", "target": "truth.yaml", "views": [{"azimuth": 90 * i} for i in range(views)]}
        path = write_scene(
            tmp_path, "run", **({**shape, "pose": pose, "lighting": [off, SKY], "objective": said} | parts)
        )
        config = load_config(path, free=free, trust_code=True)
        return towards_target(build_pipeline(config), config.objective, config.camera, config.render)[0]

    return built


def off(pipeline: Pipeline) -> tuple[float, float]:
    """How far turn and sun are from the truth, degrees."""
    said = pipeline.scene.to_settings()
    first, second = (
        roma.euler_to_rotmat("xyz", torch.tensor(a, dtype=torch.float64), degrees=True)
        for a in (said["pose"]["rotation"], TRUE_TURN)
    )
    a, b = np.array(said["lighting"][0]["direction"]), np.array(TRUE_SUN)
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return math.degrees(roma.rotmat_geodesic_distance(first, second)), math.degrees(math.acos(min(1, cosine)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turn", "sun", "views", "count"),
    [(True, True, 1, 150), (True, True, 2, 150), (True, False, 1, 150), (False, True, 1, 4)],
)
def test_a_known_turn_and_sun_are_found(recovering, monkeypatch, turn, sun, views, count):
    monkeypatch.setattr(search, "FIRST", 6)
    monkeypatch.setattr(search, "STEPS", 20)
    pipeline = recovering(turn, sun, views)
    assert max(off(pipeline)) > 40
    find_start(pipeline, count, seed=0)
    assert max(off(pipeline)) < 10
    with torch.no_grad():
        assert pipeline.observe(0).activation > -0.15


@pytest.mark.slow
def test_all_else_stays_to_the_last_bit(recovering):
    free = ("pose", "lighting", "material", "camera.fov")
    pipeline = recovering(views=1, free=free, shape={**LUMP, "free": ["offsets"]})
    scene = pipeline.scene
    before = {name: value.detach().clone() for name, value in scene.free_parameters().items()}
    assert {"pose.translation", "pose.scale", "lighting.0.irradiance", "shape.offsets"} < set(before)
    told = []
    find_start(pipeline, 8, seed=0, on_message=lambda: told.append(1))
    assert len(told) == 8
    for name, value in scene.free_parameters().items():
        assert value.grad is None and value.requires_grad
        moved = name in ("lighting.0.direction", "pose.rotation")
        assert moved or torch.equal(value, before[name]), name
    assert max(off(pipeline)) > 0


def test_the_worth_of_what_is_found_is_that_of_where_the_scene_is_left(recovering):
    """Place, size and power are free too, and no part of the search: it must not count on them."""
    pipeline = recovering(free=("pose", "lighting"))
    finder = search._StartSearch(pipeline)
    start = finder.improved(finder.own(), whole=True)
    finder.apply(start)
    with torch.no_grad():
        assert pipeline.observe(0).activation.item() == pytest.approx(start.value, rel=1e-5)


def found(pipeline: Pipeline, *arguments: int) -> torch.Tensor:
    find_start(pipeline, *arguments)
    scene = pipeline.scene
    return torch.cat([scene.pose.rotation_matrix().flatten(), scene.lighting.emitters[0].get("direction")]).detach()


@pytest.mark.slow
def test_the_seed_says_what_is_drawn_and_every_restart_draws_anew(recovering):
    first = found(recovering(), 2, 0, 1)
    assert torch.equal(found(recovering(), 2, 0, 1), first)
    assert not torch.allclose(found(recovering(), 2, 0, 2), first, atol=1e-2)
    assert not torch.allclose(found(recovering(), 2, 3, 1), first, atol=1e-2)


@pytest.mark.slow
def test_the_truth_is_not_left(recovering):
    """What the file says is among what is tried."""
    pipeline = recovering(
        pose={"rotation": TRUE_TURN, "free": ["rotation"]},
        lighting=[{**SUN, "direction": TRUE_SUN, "free": ["direction"]}, SKY],
    )
    find_start(pipeline, 1, seed=0)
    assert max(off(pipeline)) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_neuron_is_never_driven_less_than_at_the_start_of_the_file(tmp_path, seed):
    pose = {"rotation": [20, 50, 80], "free": ["rotation"]}
    path = write_scene(tmp_path, "neuron", shape=LUMP, pose=pose, seed=seed, model={"card": "net.yaml", "neuron": seed})
    pipeline = build_pipeline(load_config(path, free=["lighting.0.direction"], trust_code=True))
    with torch.no_grad():
        before = pipeline.observe(0).activation.item()
    find_start(pipeline, 1 + seed, seed)
    with torch.no_grad():
        assert pipeline.observe(0).activation.item() >= before - 1e-6
