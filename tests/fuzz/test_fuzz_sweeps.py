"""Damaged sweep files are read, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given

from mitsuba_mei.sweep.plan import check_plan, read_plan
from tests.fuzz.outcomes import examples, outcome
from tests.fuzz.yaml_mutations import mutations

pytestmark = pytest.mark.slow

SCENES = Path(__file__).parents[2] / "scenes"
SMALL = (
    "scene: quickstart.yaml\naxes: {seeds: 0-3, lighting.0.irradiance: [1, 2, 4], material: [{type: plastic}]}\n"
    "leave_out:\n- {seeds: 1-2, lighting.0.irradiance: 4}\n",
    "scene: simple_cell.yaml\naxes: {neurons: all}\ncluster: {type: slurm, time: '10:00', directives: [--qos=long]}\n",
    "scene: simple_cell.yaml\naxes: {model.card: [../models/simple_cell.yaml]}\ncluster: {address: 'a:1'}\n"
    "workers: {gpus: [0, 1], jobs_per_gpu: 2, count: 3}\n",
)


@given(mutations(((SCENES / "sweep.yaml").read_text(), *SMALL)))
@examples(250)
def test_a_sweep_file(folder, content):
    path = folder / "scenes" / "changed.yaml"
    path.write_bytes(content)
    plan = outcome(read_plan, path, (), lambda config: [0, 1, 2])
    if plan is not None and len(plan.rows) < 20:
        outcome(check_plan, plan)
