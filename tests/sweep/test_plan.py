"""Sweep files: the runs that they ask for, their names, and what is wrong with them."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.config.sweep import bytes_of
from mitsuba_mei.config.yaml.located import locate
from mitsuba_mei.errors import Place, UserError
from mitsuba_mei.sweep import plan as planning
from mitsuba_mei.sweep.axes import read_axes
from mitsuba_mei.sweep.plan import check_plan, read_plan

SCENE = "lighting: [{type: sun}, {type: constant, radiance: 0.3}]\nrender: {type: raster}\n"


@pytest.fixture
def planned(tmp_path):
    """Reads a sweep file of these lines, beside a scene."""
    (tmp_path / "scene.yaml").write_text(SCENE)

    def read(text: str, *overrides: str, every_neuron=lambda config: range(3)):
        (tmp_path / "sweep.yaml").write_text("scene: scene.yaml\n" + text)
        return read_plan(tmp_path / "sweep.yaml", overrides, every_neuron)

    return read


def sentence(planned, text: str, *overrides: str, check: bool = False) -> str:
    with pytest.raises(UserError) as caught:
        plan = planned(text, *overrides)
        if check:
            check_plan(plan)
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(Path.cwd()), "")


def test_every_combination_is_a_run_with_a_name_of_its_own(planned):
    plan = planned("axes: {neurons: [25, 3-4], seeds: 1, lighting.0.irradiance: [1, 2.5]}")
    assert [row.name for row in plan.rows] == [
        f"neuron-{n:04d}_seed-001_irradiance-{i}" for n in (25, 3, 4) for i in ("1", "2.5")
    ]
    assert plan.values(plan.rows[-1]) == {"model.neuron": 4, "seed": 1, "lighting.0.irradiance": 2.5}


def test_a_runs_configuration_has_its_values_and_the_overrides(planned):
    plan = planned(
        "axes: {neurons: 0-2, lighting.0.irradiance: [1, 2]}\noverrides: {optimizer.steps: 7, seed: 9}", "seed=4"
    )
    config = plan.config(plan.rows[3])
    assert (config.model.neuron, config.lighting[0].irradiance) == (1, 2)
    assert (config.optimizer.steps, config.seed) == (7, 4)
    assert config.lighting[1].radiance == 0.3


def test_all_stands_for_every_neuron_of_the_model(planned):
    plan = planned("axes: {neurons: all}", every_neuron=lambda config: [2, 5])
    assert [row.name for row in plan.rows] == ["neuron-0002", "neuron-0005"]


VALUES = st.one_of(
    st.integers(-5, 5), st.floats(-1, 1), st.booleans(), st.text(max_size=60), st.lists(st.integers(0, 3), max_size=3)
)


@given(
    st.lists(VALUES, min_size=1, max_size=6, unique_by=repr), st.lists(VALUES, min_size=1, max_size=6, unique_by=repr)
)
def test_names_are_files_and_differ_whatever_the_values(first, second):
    tree = locate({"shape.template.path": first, "material.type": second}, Place("here", Path()))
    axes = read_axes(tree, tuple)
    rows = planning._rows(axes, [])
    names = [row.name for row in rows]
    assert len({name.casefold() for name in names}) == len(first) * len(second)
    for name in names:
        assert len(name) <= 200 and not name.startswith(".") and not set(name) & set('/\\:*?"<>| \n\0')


def test_two_axes_that_end_alike_are_told_apart(planned):
    plan = planned("axes: {lighting.0.free: [[], [direction]], shape.free: [[offsets], [scales]]}")
    assert plan.rows[1].name == "lighting-0-free-v1_shape-free-scales"


def test_left_out_is_what_agrees_in_every_value(planned):
    plan = planned(
        "axes: {neurons: 0-4, seeds: 0-2, optimizer.steps: [5, 6]}\n"
        "leave_out: [{model.neuron: 3, seed: 1}, {neurons: 0-1, optimizer.steps: 6}]"
    )
    kept = {tuple(plan.values(row).values()) for row in plan.rows}
    assert kept == {
        (n, s, steps)
        for n, s, steps in product(range(5), range(3), (5, 6))
        if not (n == 3 and s == 1) and not (n <= 1 and steps == 6)
    }


MISTAKES = {
    "axes: {lighting.0.irradience: [1]}": "lighting.0.irradience: unknown key; did you mean 'irradiance'?",
    "axes: {optimizer.stepps: [1]}": "sweep.yaml:2: optimizer.stepps: unknown key; did you mean 'steps'?",
    "axes: {optimizer.steps: [1, x]}": "sweep.yaml:2: optimizer.steps: must be a whole number, not 'x'",
    "axes: {optimizer.steps: []}": "sweep.yaml:2: axes: optimizer.steps: must not be empty",
    "axes: {optimizer.steps: 3}": "must be a list of values in [brackets]",
    "axes: {neurons: []}": "axes: neurons: must not be empty",
    "axes: {}": "sweep.yaml:2: axes: must not be empty",
    "axes: {neurons: 3-x}": "'3-x' is neither an index nor a range of them",
    "axes: {neurons: [1, 0-2]}": "neuron 1 is named 2 times",
    "axes: {neurons: 0-1, model.neuron: [2]}": "model.neuron is an axis already; write it once",
    "axes: {pose: [{}], pose.rotation: [[0, 0, 0]]}": "lies within pose, as does another axis",
    "axes: {optimizer.steps: [1, 1]}": "optimizer.steps: 1 is written twice",
    "axes: {neurons: all, model.card: [models/v4_curvature.yaml]}": "all needs one model, but the card is an axis",
    "axes: {neurons: 0-9999, seeds: 0-999}": "10000 model.neuron x 1000 seed are 10,000,000 runs",
    "axes: {seeds: 0-99999999999}": "must name 1 to 1000000 seeds, not 100000000000",
    "axes: {seeds: 0}\nleave_out: [{neurons: 1}]": "leave_out.0.neurons: is no axis of this sweep; allowed: seed",
    "axes: {seeds: 0}\nleave_out: [{seeds: 4}]": "the axis seed has no 4",
    "axes: {seeds: 0}\nleave_out: [{seeds: 0}]": "leave_out leaves nothing to do",
    "axes: {seeds: 0}\noverrides: {seed: 4}": "sweep.yaml:3: seed: is an axis of this sweep",
    "axes: {seeds: 0}\nworkers: {memory: 2 Gb of it}": "workers.memory: '2 Gb of it' is no amount of memory",
    "axes: {seeds: 0}\nworkers: {memory: 1MB}": "a run needs at least 500MB",
    "axes: {seeds: 0}\nworkers: {gpus: [0], count: 3}": "3, but 1 GPUs with jobs_per_gpu 1 do 1 runs at a time",
    "axes: {seeds: 0}\ncluster: lokal": "'lokal' is not allowed; did you mean 'local'?",
    "axes: {seeds: 0}\ncluster: {type: pbs}": "'pbs' is not allowed; allowed: slurm",
    "axes: {seeds: 0}\ncluster: {address: here}": "'here' is no scheduler's address; write it as tcp://10.0.0.5:8786",
    'axes: {seeds: 0}\ncluster: {type: slurm, partition: "a\\nrm x"}': "is not allowed in a Slurm script",
    'axes: {seeds: 0}\ncluster: {type: slurm, directives: ["--qos=a; x"]}': "is no option of sbatch",
    "axis: {seeds: 0}": "sweep.yaml:2: axis: unknown key; did you mean 'axes'?",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_ends_in_one_sentence(planned, text):
    assert MISTAKES[text] in sentence(planned, text, check=True)


def test_an_axis_cannot_be_set_too(planned):
    said = sentence(planned, "axes: {neurons: 0-2}", "model.neuron=3")
    assert said == "--set model.neuron=3: model.neuron: is an axis of this sweep; leave it out here or there"


def test_a_scene_whose_name_is_too_long_for_a_file_is_told_too(tmp_path):
    (tmp_path / "sweep.yaml").write_text(f"scene: {'q' * 300}\n")
    with pytest.raises(UserError, match=r"sweep\.yaml:1"):
        read_plan(tmp_path / "sweep.yaml")


def test_a_scene_that_is_not_there_is_told_with_the_line(planned, tmp_path):
    (tmp_path / "other.yaml").write_text("scene: scen.yaml\naxes: {seeds: 0}\n")
    with pytest.raises(UserError, match=r"other.yaml:1: there is no file .*scen.yaml'; did you mean 'scene.yaml'"):
        read_plan(tmp_path / "other.yaml")


def test_of_many_configurations_some_are_read_and_every_value_of_other_axes(planned, monkeypatch):
    monkeypatch.setattr(planning, "CHECKED", 5)
    plan = planned("axes: {neurons: 0-9, optimizer.steps: [1, 2]}")
    assert check_plan(plan) == 5
    assert "at least 0, not -1" in sentence(planned, "axes: {optimizer.steps: [1, 2, 3, 4, 5, 6, -1]}", check=True)


def test_amounts_of_memory():
    assert [bytes_of(text) for text in ("2GB", "1.5 GiB", "700mb")] == [2 * 10**9, 3 * 2**29, 7 * 10**8]


def test_the_example_is_fine(root):
    plan = read_plan(root / "scenes" / "sweep.yaml")
    assert len(plan.rows) == check_plan(plan) == 15
