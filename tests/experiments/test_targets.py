"""Target images, of scenes and of files."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import UserError
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.experiments.targets import SEED, cameras_of, target_images
from mitsuba_mei.io.images import to_srgb, write_exr
from mitsuba_mei.io.pictures.bitmaps import file_threads
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.render.renderer import build_renderer
from tests.small_scene import LUMP, write_scene
from tests.whole_runs import Silent

VIEWS = [{"azimuth": 20}, {"azimuth": 140, "distance": 4.0}]


@pytest.fixture
def truth(tmp_path) -> Path:
    """A lump that no view shows the same, before a camera of its own."""
    return write_scene(tmp_path, "truth", shape=LUMP, camera={"elevation": 30, "distance": 4.5})


def configured(folder: Path, name: str = "run", objective: dict | None = None, **parts):
    said = {"type": "image", "target": "truth.yaml"} if objective is None else objective
    return load_config(write_scene(folder, name, objective=said, **parts), trust_code=True)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_scene_is_seen_by_its_own_camera_where_no_view_says_another(tmp_path, truth, channels):
    config = configured(tmp_path)
    wanted = target_images(
        str(truth), (None,), config.render, channels, cameras_of(config.objective.views, config.camera), trust_code=True
    )
    direct = build_pipeline(load_config(truth, rendered=False, trust_code=True))
    torch.testing.assert_close(wanted.images, direct.render(0).expand(-1, -1, channels), atol=1e-6, rtol=0)
    assert wanted.truth.camera.to_settings()["elevation"] == pytest.approx(30)
    assert not wanted.truth.free_parameters()


def test_a_scene_is_seen_by_every_view(tmp_path, truth):
    config = configured(tmp_path, objective={"type": "image", "target": "truth.yaml", "views": VIEWS})
    cameras = cameras_of(config.objective.views, config.camera)
    wanted = target_images(str(truth), (None, None), config.render, 1, cameras, trust_code=True)
    direct = build_pipeline(load_config(truth, rendered=False, trust_code=True))
    for image, camera in zip(wanted.images.chunk(2, dim=1), cameras):
        torch.testing.assert_close(image, direct.renderer.render(direct.scene(camera=camera), 0))
    assert wanted.images.shape == (32, 64, 1)


def test_a_scene_of_another_renderer_is_rendered_as_its_own_file_says(tmp_path):
    said = {"type": "path", "spp": 4, "max_depth": 3}
    truth = write_scene(tmp_path, "truth", shape=LUMP, render=said, evaluate={"spp": 64, "repeats": 3})
    config = configured(tmp_path, render={"type": "raster", "resolution": 48})
    found = target_images(str(truth), (None,), config.render, 1, trust_code=True).images
    theirs = load_config(truth, ["render.resolution=48"], rendered=False, trust_code=True)
    scene = build_pipeline(theirs).scene
    with torch.no_grad():
        traced = build_renderer(theirs.render, scene())
        images = torch.stack([traced.render(scene(), SEED + i, 64) for i in range(3)])
        raster = build_renderer(config.render, scene()).render(scene(), 0)
    torch.testing.assert_close(found, images.mean(0))
    # Interreflection and noise are in it.
    assert 1e-3 < (found - raster).abs().mean() < 0.1


@pytest.mark.slow
def test_a_finished_run_stands_for_what_it_ended_with(tmp_path):
    path = write_scene(tmp_path, "first", pose={"rotation": [10, 20, 30], "free": ["rotation", "translation"]})
    run = run_mei(load_config(path, trust_code=True), tmp_path / "first-run", Silent())
    config = configured(tmp_path, objective={"type": "image", "target": "first-run/config.yaml"})
    wanted = target_images(config.objective.target, (None,), config.render, 1, trust_code=True)
    final = torch.from_numpy(read_exr(run.folder / "render.exr"))
    torch.testing.assert_close(wanted.images, final, atol=1e-5, rtol=0)
    start = build_pipeline(load_config(path, trust_code=True)).render(0)
    assert (wanted.images - start).abs().mean() > 1e-3
    assert wanted.truth.to_settings()["pose"]["rotation"] == pytest.approx(run.result.scene["pose"]["rotation"])


def test_a_target_scene_that_is_wrong_is_named(tmp_path):
    truth = write_scene(tmp_path, "truth", shape={"rbf": {"control_points": 9999}})
    config = configured(tmp_path)
    with pytest.raises(UserError, match=r"truth\.yaml: .*9999"):
        target_images(str(truth), (None,), config.render, 1, trust_code=True)


def read_exr(path: Path) -> np.ndarray:
    import mitsuba as mi

    with file_threads():
        image = np.array(mi.Bitmap(str(path)))
    return image[..., None] if image.ndim == 2 else image


# -------------------------------------------------------------------------------------------------------------- files


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (32, 32, 3)).astype(np.float32)


@pytest.fixture
def config(tmp_path, truth):
    return configured(tmp_path)


def test_an_exr_is_radiance_as_it_stands(tmp_path, config, picture):
    write_exr(tmp_path / "a.exr", 7 * picture)
    colour = target_images(str(tmp_path / "a.exr"), (None,), config.render, 3, trust_code=True)
    np.testing.assert_array_equal(colour.images.numpy(), 7 * picture)
    assert colour.truth is None
    grey = target_images(str(tmp_path / "a.exr"), (None,), config.render, 1, trust_code=True).images.numpy()
    np.testing.assert_allclose(grey[..., 0], 7 * picture @ [0.2126, 0.7152, 0.0722], rtol=1e-5)


def test_a_png_is_decoded(tmp_path, config, picture):
    iio.imwrite(tmp_path / "a.png", to_srgb(picture))
    found = target_images(str(tmp_path / "a.png"), (None,), config.render, 3, trust_code=True).images.numpy()
    np.testing.assert_allclose(found, picture, atol=0.5 / 255 * 2.5)  # the slope of sRGB at white is below 2.5
    assert np.abs(found - to_srgb(picture) / 255).mean() > 0.1


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grey_file_serves_any_model(tmp_path, config, picture, channels):
    write_exr(tmp_path / "grey.exr", picture[..., :1])
    found = target_images(str(tmp_path / "grey.exr"), (None,), config.render, channels, trust_code=True).images.numpy()
    np.testing.assert_allclose(found, np.repeat(picture[..., :1], channels, 2), rtol=1e-5)


def test_every_view_has_its_own_file_in_their_order(tmp_path, truth, picture):
    for name, image in {"a": picture, "b": 1 - picture}.items():
        write_exr(tmp_path / f"{name}.exr", image)
    views = [{"azimuth": 0, "target": "a.exr"}, {"azimuth": 90, "target": "b.exr"}]
    config = configured(tmp_path, objective={"type": "image", "views": views})
    own = [view.target for view in config.objective.views]
    found = target_images(None, own, config.render, 3, cameras_of(config.objective.views, config.camera)).images.numpy()
    np.testing.assert_array_equal(found, np.concatenate([picture, 1 - picture], axis=1))


@pytest.mark.parametrize("size", [(31, 32), (32, 64), (64, 64)])
def test_an_image_of_another_size_is_refused(tmp_path, config, size):
    write_exr(tmp_path / "a.exr", np.full((*size, 3), 0.5, np.float32))
    with pytest.raises(UserError, match=rf"a\.exr has {size[1]} x {size[0]} pixels, and render\.resolution is 32"):
        target_images(str(tmp_path / "a.exr"), (None,), config.render, 1, trust_code=True)


def test_one_image_is_no_target_of_several_views(tmp_path, truth, picture):
    write_exr(tmp_path / "a.exr", picture)
    config = configured(tmp_path, objective={"type": "image", "target": "a.exr", "views": VIEWS})
    with pytest.raises(UserError, match="one image, and there are 2 views; give each view its own target"):
        target_images(
            config.objective.target, (None, None), config.render, 1, cameras_of(config.objective.views, config.camera)
        )


@pytest.mark.parametrize(("content", "name"), [(None, "a.exr"), (b"nonsense", "a.png"), (b"nonsense", "a.exr")])
def test_a_file_that_is_no_image_is_refused(tmp_path, config, content, name):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"target image .*{name}"):
        target_images(str(tmp_path / name), (None,), config.render, 1, trust_code=True)


# ------------------------------------------------------------------------------------------------------------ cameras


def test_what_a_view_leaves_out_is_as_the_cameras(tmp_path, truth):
    said = {"type": "image", "target": "truth.yaml", "views": VIEWS}
    config = configured(tmp_path, objective=said, camera={"elevation": 10, "fov": 40, "distance": 6})
    first, second = (camera.to_settings() for camera in cameras_of(config.objective.views, config.camera))
    assert first == pytest.approx({"azimuth": 20, "elevation": 10, "fov": 40, "distance": 6}, rel=1e-5)
    assert second == pytest.approx({"azimuth": 140, "elevation": 10, "fov": 40, "distance": 4}, rel=1e-5)


def test_a_view_that_says_nothing_is_the_scenes_own_camera(tmp_path, config):
    assert cameras_of(config.objective.views, config.camera) == ()
    one = configured(tmp_path, objective={"type": "image", "target": "truth.yaml", "views": [{"elevation": 5}]})
    assert len(cameras_of(one.objective.views, one.camera)) == 1
