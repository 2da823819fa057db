"""Damaged scene files are read, or refused in one sentence; so are changes of them on the command line."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config import dump, load_config
from tests.fuzz.outcomes import examples, outcome
from tests.fuzz.yaml_mutations import KEYS, ODD_TEXT, PATHS, RAW, mutations

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


@given(mutations(TEXTS))
@examples(900)
def test_a_scene_file(folder, content):
    path = folder / "scenes" / "changed.yaml"
    path.write_bytes(content)
    config = outcome(load_config, path)
    if config is None:
        return
    again = folder / "scenes" / "again.yaml"
    again.write_text(dump(config, again.parent), encoding="utf-8")
    assert load_config(again) == config


WORDS = st.one_of(st.sampled_from([*KEYS, "0", "1", "-1", "9" * 5000, "٣", "", "direction", "spp"]), st.text(max_size=4))
NAMES = st.one_of(st.lists(WORDS, max_size=4).map(".".join), st.sampled_from([*PATHS, *ODD_TEXT]))
SAID = st.one_of(st.sampled_from([*RAW, *ODD_TEXT, *PATHS, "[1, 2]", "{type: sun}", "null", "diffuse"]), st.text(max_size=9))
OVERRIDES = st.one_of(st.tuples(NAMES, SAID).map("=".join), NAMES)


@given(st.lists(OVERRIDES, min_size=1, max_size=3), st.lists(NAMES, max_size=2), st.lists(NAMES, max_size=2))
@examples(500)
def test_changes_on_the_command_line(folder, overrides, free, frozen):
    outcome(load_config, folder / "scenes" / "all_free.yaml", overrides, free, frozen)
