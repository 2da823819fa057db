"""Images and meshes that a Python program holds in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

import mitsuba_mei as mm
from mitsuba_mei.api.inputs import inputs_folder, on_file
from mitsuba_mei.errors import UserError
from mitsuba_mei.io.images import read_image

from .networks import small


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return inputs_folder()


def problem(template=None, distance=5.0):
    scene = mm.Scene(
        mm.icosphere(2) if template is None else template,
        deformation=mm.RBFDeformation(20, scale=0.4),
        camera=mm.Camera(distance=distance),
        free=["camera.distance"],
    )
    image = mm.Input(size=32, mean=124.5, std=70.3)
    return mm.MEI(small(), 1, input=image, scene=scene, renderer=mm.Render(type="raster", resolution=48))


@pytest.mark.slow
def test_a_scene_is_recovered_from_an_image_in_memory(tmp_path):
    target = problem(distance=6.0).optimize(0, progress=False).image
    start = problem()
    run = mm.recover(start, target=target, progress=False)
    assert run.scene["camera"]["distance"] == pytest.approx(6.0, abs=0.02)
    assert run.error.final.mean < 0.02 < run.error.initial.mean
    again = mm.read_run(run.save(tmp_path / "saved"))
    assert np.array_equal(read_image(again.config.objective.target), target)


@pytest.mark.slow
def test_a_problem_in_memory_is_a_target_whose_truth_is_known():
    run = mm.recover(problem(), target=problem(distance=6.0), progress=False)
    (name,) = [name for name in run.truth.parameters if "distance" in name]
    assert run.truth.parameters[name].off.final == pytest.approx(0, abs=0.02)


def test_the_same_image_is_one_file_and_another_is_another(cache):
    image = np.random.default_rng(0).random((5, 7, 3)).astype(np.float32)
    first = on_file({"views": [{"target": image}]}, "recover")["views"][0]["target"]
    assert on_file(torch.from_numpy(image), "target") == first
    assert on_file(image[:, ::-1], "target") != first
    assert len(list(cache.iterdir())) == 2
    assert np.array_equal(read_image(first), image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4), np.float32), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4), np.uint8), "holds uint8; give linear radiance in floats"),
        (np.full((4, 4), np.nan), "negative or not finite"),
        (np.full((4, 4), -1.0), "negative or not finite"),
    ],
)
def test_an_array_that_is_no_radiance_is_refused(image, message):
    with pytest.raises(UserError, match=message):
        mm.recover(problem(), target=image, progress=False)


@pytest.mark.slow
def test_a_mesh_in_memory_is_a_template(cache):
    box = trimesh.creation.box(extents=(1.0, 2.0, 1.0)).subdivide().subdivide()
    mei = problem(box)
    assert mei.config.shape.template.path == str(next(cache.iterdir()))
    vertices = mei.optimize(0, progress=False).mesh.vertices
    extents = np.ptp(vertices, axis=0)
    assert extents[1] / extents[0] == pytest.approx(2.0, rel=1e-4)


def test_a_mesh_of_no_triangles_is_refused():
    class Quads:
        vertices, faces = np.zeros((4, 3)), np.zeros((1, 4))

    with pytest.raises(UserError, match=r"faces of shape \(1, 4\); give \(V, 3\) and \(F, 3\)"):
        mm.Scene(Quads())
