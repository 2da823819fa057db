"""Damaged images, weights and files of finished runs are read, or refused in one sentence."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.load import load_config
from mitsuba_mei.errors import Place
from mitsuba_mei.experiments.mei import run_mei
from mitsuba_mei.io.images import read_image, write_exr
from mitsuba_mei.neurons.state_dict import read_state
from mitsuba_mei.render.backend import prepare
from mitsuba_mei.report.html.places import Place as Listed
from mitsuba_mei.report.html.reading import read_run_folder
from mitsuba_mei.runs.read import read_run
from tests.fuzz.byte_damage import damaged
from tests.fuzz.outcomes import examples, outcome
from tests.fuzz.test_fuzz_checkpoints import SCENE
from tests.whole_runs import Silent

pytestmark = pytest.mark.slow

COLOURS = np.random.default_rng(0).random((6, 5, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def images(folder) -> dict[str, bytes]:
    prepare("llvm_ad_mono", 1)
    write_exr(folder / "image.exr", COLOURS)
    return {
        "exr": (folder / "image.exr").read_bytes(),
        "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 6 +X 5\n" + bytes(range(120)),
        "png": iio.imwrite("<bytes>", (255 * COLOURS).astype(np.uint8), extension=".png"),
    }


@given(data=st.data())
@examples(100)
def test_an_image(folder, images, data):
    kind = data.draw(st.sampled_from(sorted(images)))
    path = folder / f"damaged.{kind}"
    path.write_bytes(data.draw(damaged(images[kind])))
    image = outcome(read_image, path)
    if image is not None:
        assert image.ndim == 3 and image.shape[2] == 3 and np.isfinite(image).all() and (image >= 0).all()


def saved(**options) -> bytes:
    file = io.BytesIO()
    torch.save({"state_dict": {"a.weight": torch.ones(3, 4), "b": torch.arange(5.0)}}, file, **options)
    return file.getvalue()


@given(st.sampled_from([saved(), saved(_use_new_zipfile_serialization=False)]).flatmap(damaged))
@examples(60)
def test_weights(folder, content):
    path = folder / "damaged.pth"
    path.write_bytes(content)
    state = outcome(read_state, path, Place("card.yaml", folder, 3))
    assert state is None or all(torch.isfinite(value.float()).all() for value in state.values())


@pytest.fixture(scope="module")
def finished(folder) -> Path:
    (folder / "scene.yaml").write_text(SCENE)
    return run_mei(load_config(folder / "scene.yaml"), folder / "finished", Silent()).folder


def read_again(folder: Path) -> None:
    run = read_run(folder)
    with np.load(folder.with_name("finished") / "parameters.npz") as like:
        run.parameters(dict(like))


@given(data=st.data())
@examples(60)
def test_a_finished_run(finished, data):
    names = sorted(str(path.relative_to(finished)) for path in finished.rglob("*") if path.is_file())
    likely = ["result.json", "metrics.csv", "config.yaml", "parameters.npz", "mesh.ply"]
    name = data.draw(st.sampled_from([*names, *4 * likely]))
    content = data.draw(damaged((finished / name).read_bytes()))
    copied = finished.with_name("copy")
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(finished, copied)
    (copied / name).write_bytes(content)
    outcome(read_again, copied)
    outcome(read_run_folder, Listed(copied, "run"))
