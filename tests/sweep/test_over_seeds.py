"""What several seeds of a neuron come to, beside the error of rendering alone."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import trimesh

from mitsuba_mei.cli.sweep import describe_sweep
from mitsuba_mei.errors import UserError
from mitsuba_mei.sweep.folder import SweepFolder
from mitsuba_mei.sweep.over_seeds import FILE, read_over_seeds, write_over_seeds
from mitsuba_mei.sweep.plan import read_plan
from mitsuba_mei.sweep.run import SweepOutcome

SCENE = """
model: {card: {type: simple_cell, parameters: {frequency: [1, 2]}, input: {size: 32, mean: 124, std: 70}}}
render: {type: raster, resolution: 32}
"""
SWEEP = "scene: scene.yaml\naxes: {neurons: 0-1, seeds: 0-2}\n"


@pytest.fixture
def swept(tmp_path):
    """A sweep whose runs are written by hand; a call writes one."""
    (tmp_path / "scene.yaml").write_text(SCENE)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    plan = read_plan(tmp_path / "sweep.yaml")
    with SweepFolder(tmp_path / "out").opened(plan) as folder:
        yield folder, plan


def write_run(folder: Path, mean: float, sem: float, stimulus: np.ndarray, radius: float, **said) -> None:
    folder.mkdir(parents=True)
    ends = {"initial": {"mean": 0.0, "sem": 0.0}, "final": {"mean": mean, "sem": sem}}
    result = {"objective": "activation", "activation": ends, "mesh": {}}
    (folder / "result.json").write_text(json.dumps(result | said))
    np.save(folder / "stimulus.npy", stimulus.astype(np.float32))
    trimesh.creation.icosphere(3, radius).export(folder / "mesh.ply")


def test_mean_and_standard_deviation_over_seeds_stand_beside_the_render_error(swept, tmp_path):
    folder, plan = swept
    rows, columns = np.meshgrid(np.linspace(-1, 1, 32), np.linspace(-1, 1, 32), indexing="ij")
    for seed, (mean, stimulus, radius) in enumerate(((1.0, rows, 1.0), (2.0, rows, 1.1), (6.0, -rows, 1.0))):
        write_run(folder.run(f"neuron-0000_seed-{seed:03d}"), mean, 0.03 * (seed + 1), stimulus[None, None], radius)
    write_run(folder.run("neuron-0001_seed-000"), 5.0, 0.0, columns[None, None], 1.0)
    write_run(folder.run("neuron-0001_seed-001"), 9.0, 0.0, columns[None, None], 1.0, ended="failed")
    first, second = write_over_seeds(folder, plan)
    assert (first["model.neuron"], first["seeds"], first["of"]) == (0, 3, "activation")
    assert first["mean"] == pytest.approx(3.0) and first["sd"] == pytest.approx(math.sqrt(7))
    assert (first["lowest"], first["highest"]) == (1.0, 6.0)
    assert first["render_se"] == pytest.approx(0.03 * math.sqrt((1 + 4 + 9) / 3))
    assert first["stimulus_correlation_mean"] == pytest.approx((1 - 1 - 1) / 3)
    assert first["stimulus_correlation_least"] == pytest.approx(-1)
    # Two spheres a tenth apart, over their mean radius, and two that are one; three pairs.
    assert first["pairs"] == 3
    assert first["surface_distance_greatest"] == pytest.approx(0.1 / 1.05, rel=0.02)
    assert first["surface_distance_mean"] == pytest.approx(0.2 / 3 / 1.05, rel=0.02)
    # One of two failed: there is no spread of a single seed.
    assert (second["seeds"], second.get("sd"), second["runs"]) == (1, None, "neuron-0001_seed-000")
    again = read_over_seeds(folder.path)
    assert again[0] == first and again[1]["sd"] is None
    with open(folder.path / "over_seeds.csv", newline="") as file:
        assert [float(row["mean"] or "nan") for row in csv.DictReader(file)][0] == pytest.approx(3.0)
    outcome = SweepOutcome(folder.path, 0, 5, 0, 1, False, None, 0, [first, second])
    assert describe_sweep(outcome, 6)[2] == (
        "neuron 0: activation over 3 seeds: mean 3, s.d. 2.6 (1 to 6), render s.e. 0.065; stimuli correlate by -0.33; "
        "surfaces lie 6.3 % of the radius apart"
    )


@pytest.mark.slow
def test_what_is_minus_an_error_is_summed_up_as_that_error(swept):
    folder, plan = swept
    for seed, error in enumerate((0.2, 0.4)):
        ends = {"initial": {"mean": 1.0, "sem": 0.0}, "final": {"mean": error, "sem": 0.01}}
        said = {"objective": "image", "error": ends}
        write_run(folder.run(f"neuron-0000_seed-{seed:03d}"), -error, 0.01, np.eye(32), 1.0, **said)
    row = write_over_seeds(folder, plan)[0]
    assert (row["of"], row["seeds"], row["lowest"]) == ("error", 2, 0.2) and row["mean"] == pytest.approx(0.3)


def test_without_several_seeds_there_is_no_table_and_a_damaged_one_is_said(tmp_path):
    (tmp_path / "scene.yaml").write_text(SCENE)
    (tmp_path / "sweep.yaml").write_text("scene: scene.yaml\naxes: {neurons: 0-1, seeds: 4}\n")
    plan = read_plan(tmp_path / "sweep.yaml")
    with SweepFolder(tmp_path / "out").opened(plan) as folder:
        assert write_over_seeds(folder, plan) == read_over_seeds(folder.path) == []
        (folder.path / FILE).write_bytes(b"half of it")
        with pytest.raises(UserError, match="over_seeds.parquet is damaged"):
            read_over_seeds(folder.path)
