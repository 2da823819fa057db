"""Pictures of stimuli in a page: of the arrays, on one scale that is stated."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitsuba_mei.errors import UserError
from mitsuba_mei.io.images import write_png
from mitsuba_mei.report.grey_scale import GreyScale
from mitsuba_mei.report.html.places import Place
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.report.html.stimuli import read_levels
from mitsuba_mei.report.html.write import write_report
from tests.report.html.run_folders import write_diverse, write_metamer, write_run

STD, MEAN = 70.0, 120.0


def _stimulus(seed: int, reach: float = 60.0, channels: int = 1) -> np.ndarray:
    """Grey levels (24, 24) or (24, 24, 3) about the mean."""
    noise = np.random.default_rng(seed).uniform(-reach, reach, (24, 24, channels))
    return MEAN + (noise[..., 0] if channels == 1 else noise)


def _write(folder: Path, name: str, grey: np.ndarray, picture: np.ndarray | None = None) -> None:
    """An array as the model got it, and its picture, or another one."""
    z = (np.atleast_3d(grey) - MEAN) / STD
    np.save(folder / f"{name}.npy", np.moveaxis(z, -1, 0)[None].astype(np.float32))
    shown = grey if picture is None else picture
    write_png(folder / f"{name}.png", np.round(np.clip(shown, 0, 255)).astype(np.uint8))


def _pixels(picture) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(picture.address.partition(",")[2])))).astype(int)


def _record(folder: Path):
    return read_run_folder(Place(folder, folder.name))


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_levels_come_of_the_array_beyond_the_display_too(tmp_path, channels):
    grey = _stimulus(0, 200.0, channels)
    assert grey.min() < -20 and grey.max() > 275
    _write(tmp_path, "stimulus", grey)
    levels = read_levels(tmp_path, ("stimulus",), None)
    np.testing.assert_allclose(levels.of["stimulus"], grey, atol=0.3)
    assert levels.known and not levels.differences
    assert levels.scale.low <= grey.min() + 0.3 and levels.scale.high >= grey.max() - 0.3


def test_stimuli_side_by_side_have_one_scale_that_is_stated(tmp_path):
    folder = write_run(tmp_path / "run", frames=0)
    found, start = _stimulus(0, 90), _stimulus(1, 9)
    _write(folder, "stimulus", found)
    write_png(folder / "initial_stimulus.png", np.round(start).astype(np.uint8))
    (folder / "pixel_stimulus.png").unlink()
    run = _record(folder)
    scale = GreyScale.of([found, np.round(start)])
    expected = {"stimulus": scale(found), "initial_stimulus": scale(np.round(start))}
    for name, pixels in expected.items():
        assert np.abs(_pixels(run.pictures[name]) - pixels).max() <= 1
    assert np.ptp(_pixels(run.pictures["initial_stimulus"])) < 0.2 * np.ptp(_pixels(run.pictures["stimulus"]))
    text = write_report([folder]).read_text(encoding="utf-8")
    assert f"Stimuli: {run.grey_scale}." in text
    low, high = map(float, run.grey_scale.removeprefix("grey levels ").split(" shown")[0].split(" to "))
    assert (low, high) == pytest.approx((scale.low, scale.high), abs=1)


def test_a_scale_that_covers_the_steps_too_is_said_to(tmp_path):
    for frames in (0, 2):
        folder = write_run(tmp_path / str(frames), frames=frames)
        text = write_report([folder]).read_text(encoding="utf-8")
        assert ("The steps below have the same scale; summary.png does not show them" in text) == (frames > 0)


def _old_metamer(folder: Path, card: bool = True) -> tuple[Path, np.ndarray]:
    """A metamer's folder of an earlier version: its pictures of stimuli hold differences of renders."""
    write_metamer(folder)
    found = _stimulus(2)
    _write(folder, "stimulus", found, picture=_stimulus(3, 30))
    write_png(folder / "reference_stimulus.png", np.round(_stimulus(4)).astype(np.uint8))
    if card:
        (folder / "card.yaml").write_text(f"name: x\ninput: {{mean: {MEAN}, std: {STD}}}\n")
    return folder, found


def test_a_metamer_of_an_earlier_version_is_shown_by_its_array(tmp_path):
    folder, found = _old_metamer(tmp_path / "metamer")
    run = _record(folder)
    shown = _pixels(run.pictures["stimulus"])
    assert np.corrcoef(shown.ravel(), found.ravel())[0, 1] > 0.999
    scale = GreyScale.of([found, np.round(_stimulus(4))])
    assert np.abs(shown - scale(found)).max() <= 1
    assert np.abs(_pixels(run.pictures["reference_stimulus"]) - scale(np.round(_stimulus(4)))).max() <= 1
    assert "initial_stimulus" not in run.pictures and run.beside_is_difference
    text = write_report([folder]).read_text(encoding="utf-8")
    section = text[text.index("How it came about") :]
    assert "as the neurons saw it" not in section[: section.index("</section>")]
    assert "Render less the reference’s" in section and "black is −1" in section


def test_without_its_model_card_it_is_said_what_is_shown(tmp_path):
    folder, found = _old_metamer(tmp_path / "metamer", card=False)
    run = _record(folder)
    assert np.corrcoef(_pixels(run.pictures["stimulus"]).ravel(), found.ravel())[0, 1] > 0.999
    assert "standardised input" in run.grey_scale and "reference_stimulus" not in run.pictures


def test_a_metamer_of_today_shows_stimuli_on_the_way_too(tmp_path):
    folder = write_metamer(tmp_path / "metamer")
    _write(folder, "stimulus", _stimulus(2))
    run = _record(folder)
    assert not run.beside_is_difference and "initial_stimulus" in run.pictures
    assert "as the neurons saw it" in write_report([folder]).read_text(encoding="utf-8")


def test_the_scenes_of_a_set_share_a_scale(tmp_path):
    folder = write_diverse(tmp_path / "diverse")
    every = [_stimulus(i, 15.0 * (i + 1)) for i in range(3)]
    for i, grey in enumerate(every):
        _write(folder / f"scenes/{i}", "stimulus", grey)
    run = _record(folder)
    scale = GreyScale.of(every)
    for grey, scene in zip(every, run.scenes):
        assert np.abs(_pixels(scene.stimulus) - scale(grey)).max() <= 2
    assert run.grey_scale == scale.caption
    assert f"Stimuli: {scale.caption}." in write_report([folder]).read_text(encoding="utf-8")


@pytest.mark.parametrize("array", [b"", b"nothing", np.zeros((2, 1, 4, 4)), np.zeros((4, 4)), np.array([[[["a"]]]])])
def test_a_damaged_array_is_refused_in_a_sentence(tmp_path, array):
    if isinstance(array, bytes):
        (tmp_path / "stimulus.npy").write_bytes(array)
    else:
        np.save(tmp_path / "stimulus.npy", array)
    with pytest.raises(UserError, match="is damaged"):
        read_levels(tmp_path, ("stimulus",), None)


def test_no_array_is_unpickled(tmp_path):
    np.save(tmp_path / "stimulus.npy", np.array([[[[{}]]]]), allow_pickle=True)
    with pytest.raises(UserError, match="is damaged"):
        read_levels(tmp_path, ("stimulus",), None)
