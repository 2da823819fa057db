"""Damaged scene files are read, or refused in one sentence; so are changes of them on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.load import Config, dump, load_config
from mitsuba_mei.optimize.checks import check_start
from mitsuba_mei.pipeline import build_pipeline
from tests.fuzz.outcomes import examples, outcome
from tests.fuzz.yaml_mutations import KEYS, ODD_TEXT, PATHS, RAW, mutations, other_numbers

pytestmark = pytest.mark.slow

SCENES = Path(__file__).parents[2] / "scenes"
SMALL = (
    "seed: 1\n",
    "extends: quickstart.yaml\nrender: {spp: 4}\n",
    "lighting:\n- {type: area, position: [1, 2, 3], size: [1, 1], free: [position]}\n- {type: spot, cutoff: 40}\n"
    "- {type: point, free: [intensity]}\n- {type: spherical_harmonics, coefficients: [1, 0, 0, 0]}\n",
    "material: {type: principled, roughness: 0.4, free: [roughness]}\nstimulus: {contrast: 0.2, mask: {sigma: 0.3}}\n",
    "model: {card: {type: simple_cell, input: {size: 32, mean: 124, std: 70}, parameters: {frequency: [1, 2]}}}\n",
)
TEXTS = (*(path.read_text() for path in sorted(SCENES.glob("*.yaml"))), *SMALL)

SHOWN = tuple(text for text in TEXTS if "macaque" not in text)


@given(mutations(TEXTS))
@examples(400)
def test_a_scene_file(folder, content):
    path = folder / "scenes" / "changed.yaml"
    path.write_bytes(content)
    config = outcome(load_config, path)
    if config is None:
        return
    again = folder / "scenes" / "again.yaml"
    again.write_text(dump(config, again.parent), encoding="utf-8")
    assert load_config(again) == config


WORDS = st.one_of(
    st.sampled_from([*KEYS, "0", "1", "-1", "9" * 5000, "٣", "", "direction", "spp"]), st.text(max_size=4)
)
NAMES = st.one_of(st.lists(WORDS, max_size=4).map(".".join), st.sampled_from([*PATHS, *ODD_TEXT]))
SAID = st.one_of(
    st.sampled_from([*RAW, *ODD_TEXT, *PATHS, "[1, 2]", "{type: sun}", "null", "diffuse"]), st.text(max_size=9)
)
OVERRIDES = st.one_of(st.tuples(NAMES, SAID).map("=".join), NAMES)


@given(st.lists(OVERRIDES, min_size=1, max_size=3), st.lists(NAMES, max_size=2), st.lists(NAMES, max_size=2))
@examples(250)
def test_changes_on_the_command_line(folder, overrides, free, frozen):
    outcome(load_config, folder / "scenes" / "all_free.yaml", overrides, free, frozen)


MOST = {"subdivisions": 1, "segments": 12, "tube_segments": 8}


def small(config: Config) -> Config:
    """The same with few faces and pixels, and rasterized: the path tracer would compile a program for each."""
    template = config.shape.template
    fewer = {name: min(getattr(template, name), most) for name, most in MOST.items() if hasattr(template, name)}
    shape = config.shape.model_copy(update={"template": template.model_copy(update=fewer)})
    render = {"resolution": min(config.render.resolution, 100), "type": "raster"}
    return config.model_copy(update={"shape": shape, "render": config.render.model_copy(update=render)})


@given(st.one_of(mutations(SHOWN), other_numbers(SHOWN)))
@examples(100)
def test_a_scene_that_is_built(folder, content):
    """Values that are allowed each by itself, and are beyond all measure."""
    path = folder / "scenes" / "changed.yaml"
    path.write_bytes(content)
    config = outcome(load_config, path)
    pipeline = None if config is None else outcome(build_pipeline, small(config))
    if pipeline is not None:
        outcome(check_start, pipeline, 0)
