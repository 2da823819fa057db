"""Folders of several runs, of known figures."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from mitsuba_mei import __version__
from mitsuba_mei.runs.factor_coalitions import FACTORS, SUBSETS, named
from tests.report.html.run_folders import result_with, write_run

VERSIONS = {"mitsuba_mei": __version__}


def _mean(mean: float, sem: float = 0.05) -> dict[str, Any]:
    return {"mean": mean, "sem": sem, "low": mean - 4 * sem, "high": mean + 4 * sem, "n": 3}


def _shortly(folder: Path, neuron: int, final: float = 1.0, seed: int = 0) -> Path:
    activation = {"initial": {"mean": 0.5, "sem": 0.0}, "final": {"mean": final, "sem": 0.01}}
    scene = f"# one of many\nseed: {seed}\nmodel: {{card: card.yaml, neuron: {neuron}}}\n"
    return write_run(folder, result_with(activation=activation, neurons=[neuron], seed=seed), scene, frames=0)


def write_comparison(folder: Path) -> Path:
    """Two neurons, path traced and rasterized; the second gains 25 per cent path traced."""
    neurons = []
    for neuron, better in ((3, 1.0), (12, 1.25)):
        for made in ("path", "raster"):
            _shortly(folder / f"x-neuron-{neuron}" / made, neuron)
        cell = {"path": {"mean": 2.0 * better, "sem": 0.02}, "raster": {"mean": 2.0, "sem": 0.0}}
        neurons.append(
            {
                "label": f"neuron {neuron}",
                "model": "a model",
                "neurons": [neuron],
                "objective": "activation",
                "ended": "done",
                "pixel": 2.5,
                "activation": {"path": cell, "raster": {shown: {"mean": 2.0, "sem": 0.01} for shown in cell}},
                "gain": {"path": {"mean": better - 1, "sem": 0.01}, "raster": {"mean": 0.0, "sem": 0.0}},
            }
        )
    median = {"median": 0.125, "low": None, "high": None, "n": 2}
    statistics = {
        "neurons": 2,
        "gain": {"path": median, "raster": {**median, "median": 0.0}},
        "apart": {shown: {"of_renders": {"neurons": 1, "of": 2}, "of_starts": None} for shown in ("path", "raster")},
    }
    said = {"ended": "done", "asked": 2, "statistics": statistics, "neurons": neurons, "left_out": []}
    (folder / "comparison.json").write_text(json.dumps({**said, "versions": VERSIONS}))
    return folder


def write_factors(folder: Path) -> Path:
    """One neuron of which shape is worth 0.3, pose 0.04 and light -0.01."""
    names = [named(subset) for subset in SUBSETS]
    for name in names[1:]:
        _shortly(folder / "x-neuron-3" / name.replace(" + ", "-"), 3)
    worth = dict(zip(FACTORS, (_mean(0.3, 0.02), _mean(0.04, 0.01), _mean(-0.01, 6.8e-5))))
    ends = {name: _mean(0.2 + 0.1 * number) for number, name in enumerate(names)}
    neuron = {
        "label": "neuron 3",
        "model": "a model",
        "neurons": [3],
        "objective": "activation",
        "ended": "done",
        "starts": 3,
        "activation": ends,
        "gain": {name: ends[name] for name in names[1:]},
        "fraction_of_all": ends,
        "fraction_of_gain": {name: ends[name] for name in names[1:]},
        **{kind: worth for kind in ("alone", "last", "shapley", "share")},
        "interaction": {"shape + pose": _mean(-0.02)},
        "less_with_more": [],
        "trials": {
            name: [{"start": i, "activation": {"mean": ends[name]["mean"] + 0.03 * (i - 1)}} for i in range(3)]
            for name in names
        },
    }
    said = {"factors": list(FACTORS), "subsets": names, "ended": "done", "asked": 1, "left_out": []}
    (folder / "factors.json").write_text(json.dumps({**said, "neurons": [neuron], "versions": VERSIONS}))
    return folder


def write_sweep(folder: Path) -> Path:
    """Neurons 3 and 12 with three seeds; 3 ends with 1, 2 and 3, and one run of 12 failed."""
    rows = []
    for neuron, ends in ((3, (1.0, 2.0, 3.0)), (12, (4.0, 5.0, None))):
        for seed, final in enumerate(ends):
            name = f"neuron-{neuron:04d}_seed-{seed:03d}"
            row = {"run": name, "model.neuron": neuron, "seed": seed, "objective": "activation", "model": "a model"}
            if final is None:
                rows.append(row | {"state": "failed", "reason": "the disk is full"})
                continue
            _shortly(folder / "runs" / name, neuron, final, seed)
            rows.append(row | {"activation_final_mean": final, "activation_final_sem": 0.01, "state": "done"})
    with open(folder / "summary.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    alike = "model.neuron,of,seeds,stimulus_correlation_mean,surface_distance_mean\n3,activation,3,0.87,0.125\n"
    (folder / "over_seeds.csv").write_text(alike + "12,activation,2,,\n")
    axes = {"model.neuron": [3, 12], "seed": [0, 1, 2]}
    (folder / "plan.json").write_text(json.dumps({"scene": "seed: 0\n", "axes": axes, "leave_out": [], "runs": 6}))
    return folder


def write_evaluation(folder: Path) -> Path:
    """A run evaluated path traced, with its figures in a folder of their own."""
    folder.mkdir(parents=True)
    activation = {"initial": {"mean": 0.5, "sem": 0.0}, "final": {"mean": 0.8528, "sem": 6.8e-5}}
    said = {"run": "/somewhere/runs/mine", "renderer": "path", "model": "a model", "activation": activation}
    (folder / "evaluation-path.json").write_text(json.dumps(said))
    return folder
