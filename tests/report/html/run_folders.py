"""Run folders that no optimizer wrote, of known figures."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from mitsuba_mei import __version__
from mitsuba_mei.io.images import write_png

RESULT: dict[str, Any] = {
    "activation": {"initial": {"mean": 1.5, "sem": 0.02}, "final": {"mean": 20.0, "sem": 0.125}},
    "fraction_of_optimum": 0.8,
    "ratio_to_pixel": {"mean": 0.9, "sem": 0.005},
    "validation": {
        "model": "second model",
        "activation": {"initial": {"mean": 1.0, "sem": 0.1}, "final": {"mean": 11.0, "sem": 0.2}},
        "pixel": 10.0,
        "ratio_to_pixel": {"mean": 1.1, "sem": 0.02},
    },
    "seconds": 12.5,
    "steps": 50,
    "seconds_per_step": 0.25,
    "peak_memory_mb": 400,
    "skipped_steps": 0,
    "shortened_gradients": 1,
    "mesh": {
        "vertices": 162,
        "faces": 320,
        "flipped_faces": 0,
        "degenerate_faces": 0,
        "intersecting_faces": 0,
        "smallest_angle": 30.0,
        "watertight": True,
    },
    "renderer": "path",
    "variant": "llvm_ad_mono",
    "seed": 3,
    "optimum": 25.0,
    "objective": "activation",
    "neurons": [7],
    "responses": [{"neuron": 7, "initial": {"mean": 1.5, "sem": 0.02}, "final": {"mean": 20.0, "sem": 0.125}}],
    "outside_display": 0.03,
    "exposure": 0.5,
    "model": "a model",
    "ended": "done",
    "reason": None,
    "restart": 1,
    "restarts": [
        {
            "restart": i,
            "activation": {"initial": {"mean": 1.0 + i, "sem": 0.1}, "final": {"mean": 18.0 + 2 * i, "sem": 0.1}},
            "steps": 25,
            "seconds": 6.25,
            "skipped_steps": 0,
            "shortened_gradients": 0,
            "ended": "done",
        }
        for i in range(2)
    ],
    "pixel": {"activation": 22.22, "restarts": [22.22, 21.0]},
    "scene": {"camera": {"fov": 35.0, "distance": 5.0, "azimuth": 30.0, "elevation": 20.0}},
    "versions": {"mitsuba_mei": __version__, "python": "3.11.7", "torch": "2.13.0"},
}
"""A ``result.json`` with every key."""

PIXEL_RESULT: dict[str, Any] = {
    "activation": 22.22,
    "restarts": [21.0, 22.22],
    "ended": "done",
    "steps": 100,
    "fraction_of_optimum": 0.889,
    "validation": {"model": "second model", "activation": 10.0},
    "seconds": 0.5,
    "seed": 3,
    "optimum": 25.0,
    "objective": "activation",
    "neurons": [7],
    "outside_display": 0.0,
    "model": "a model",
    "versions": RESULT["versions"],
}

SCENE = "model: {card: card.yaml, neuron: 7}\nrender: {type: path}\n"


def result_with(**changes: Any) -> dict[str, Any]:
    """The result with other values."""
    return {**copy.deepcopy(RESULT), **changes}


def bumpy(subdivisions: int = 2) -> trimesh.Trimesh:
    """A sphere with a nose towards +x, so that its sides differ."""
    mesh = trimesh.creation.icosphere(subdivisions=subdivisions)
    vertices = np.array(mesh.vertices)
    vertices[:, 0] *= 1 + 0.6 * (vertices[:, 0] > 0.5)
    vertices[:, 1] *= 0.7
    return trimesh.Trimesh(vertices, mesh.faces, process=False)


def write_run(folder: Path, result: dict[str, Any] | None = None, scene: str = SCENE, frames: int = 4) -> Path:
    """A folder as an optimization of two starts leaves it."""
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(RESULT if result is None else result))
    (folder / "config.yaml").write_text(scene)
    bumpy().export(folder / "mesh.ply", file_type="ply")
    (folder / "frames").mkdir()
    for name, level in {
        "stimulus": 200,
        "initial_stimulus": 100,
        "pixel_stimulus": 150,
        "render": 220,
        "initial_render": 90,
    }.items():
        write_png(folder / f"{name}.png", picture(level))
    for i in range(frames):
        for kind in ("render", "stimulus"):
            write_png(folder / f"frames/step-{1 + 8 * i:05d}-{kind}.png", picture(40 * i))
    lines = ["restart,step,activation,loss,smoothness,area,gradient_shape,skipped,seconds"]
    for start in range(2):
        lines += [f"{start},{s},{start + s * 0.7},0.1,{0.01 * s},{0.02 * s},1.0,0,{0.1 * s}" for s in range(1, 26)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_pixel_run(folder: Path) -> Path:
    """A folder as ``run.py pixel`` leaves it."""
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(PIXEL_RESULT))
    (folder / "config.yaml").write_text(SCENE)
    (folder / "metrics.csv").write_text("step,activation,seconds\n1,3.0,0.1\n2,22.0,0.2\n")
    write_png(folder / "stimulus.png", picture(200))
    return folder


def picture(level: int, size: int = 24) -> np.ndarray:
    """A vertical grating that is brighter below."""
    rows, columns = np.mgrid[:size, :size]
    return (level * (0.4 + 0.6 * rows / size) * (1 + np.sin(columns)) / 2).astype(np.uint8)


def write_tuning(folder: Path, axes: int = 1) -> Path:
    """Tuning of two neurons, around 40 degrees and, of two axes, around 0; unsorted values, one of them unknown."""
    angles, shifts = np.array([0.0, 40.0, 20.0, 60.0, 80.0]), np.array([-1.0, 0.0, 1.0])
    over = [
        {"path": "camera.azimuth", "unit": "degrees", "period": 360.0, "values": angles.tolist(), "at": 35.0},
        {"path": "pose.translation.0", "unit": "scene units", "period": None, "values": shifts.tolist(), "at": 0.25},
    ][:axes]
    curve = 10 * np.exp(-(((angles - 40) / 30) ** 2))
    mean = curve if axes == 1 else curve[:, None] * np.exp(-(shifts**2))
    values = mean.tolist()
    if axes == 1:
        values[4] = None
    summary = {
        "preferred": [{"value": 41.0, "sem": 0.5}, {"value": 0.0, "sem": 0.1}][:axes],
        "bandwidth": [50.0, None][:axes],
        "bandwidth_is": "half width at half height above the least response",
        "modulation_depth": 0.9,
        "selectivity": {"index": "circular variance", "reference": "Someone 1999", "value": 0.4},
    }
    neurons = [
        {
            "neuron": neuron,
            "mean": values,
            "sem": (0.1 + 0 * mean).tolist(),
            "low": (mean - 0.2).tolist(),
            "high": (mean + 0.2).tolist(),
            "at_scene": {"mean": 9.5, "sem": 0.1},
            "summary": summary,
        }
        for neuron in (7, 9)
    ]
    target = folder / ("tuning-azimuth" if axes == 1 else "tuning-azimuth-shift")
    target.mkdir()
    said = {
        "source": {"run": "x"},
        "model": "a model",
        "renderer": "raster",
        "variant": "v",
        "seed": 0,
        "evaluate": {"spp": 64, "repeats": 4},
        "over": over,
        "neurons": neurons,
        "ended": "done",
        "versions": {"mitsuba_mei": __version__},
    }
    (target / "tuning.json").write_text(json.dumps(said))
    return target / "tuning.json"


# ------------------------------------------------------------------------------------------------- other objectives


def _unlike(objective: str, initial: float, final: float, **said: Any) -> dict[str, Any]:
    """A result of a single start that knows no optimum and no pixel MEI."""
    activation = {"initial": {"mean": initial, "sem": 0.01}, "final": {"mean": final, "sem": 0.0002}}
    ordinary = {name: RESULT[name] for name in ("seconds", "steps", "mesh", "renderer", "seed", "scene", "versions")}
    ordinary |= {"model": "a model", "ended": "done", "restart": 0, "objective": objective, "activation": activation}
    return copy.deepcopy({**ordinary, "restarts": [{**RESULT["restarts"][0], "activation": activation}], **said})


RECOVERED = _unlike(
    "image",
    -0.5,
    -0.0099,
    error={"kind": "l2", "initial": {"mean": 0.5, "sem": 0.01}, "final": {"mean": 0.0099, "sem": 0.0002}},
    difference={"reach": 0.125, "unit": "radiance"},
    truth={
        "surface": {
            "diameter": 2.0,
            "initial": {"of_diameter": 0.08},
            "final": {"of_diameter": 0.0123},
            "alignment": {"of_diameter": 0.011},
        },
        "parameters": {
            "lighting.0.direction": {
                "true": [0, 0, -1],
                "initial": [1, 0, -1],
                "final": [0.1, 0, -1],
                "off": {"initial": 45.0, "final": 5.71},
                "unit": "degrees",
            },
            "pose.scale": {
                "true": 1.0,
                "initial": 0.5,
                "final": 1.04,
                "off": {"initial": 0.5, "final": -0.04},
                "unit": "relative",
            },
        },
    },
    views=1,
)
"""Of inverse rendering."""

METAMER = _unlike(
    "metamer",
    -0.6,
    -0.015,
    neurons=None,
    metamer={
        "found": True,
        "responses": {
            "distance": {"initial": {"mean": 0.6, "sem": 0.01}, "final": {"mean": 0.015, "sem": 0.0002}},
            "tolerance": 0.02,
            "near": True,
            "layer": None,
        },
        "scene": {"differ": "shape", "difference": 0.31, "apart": 0.25, "far": True},
        "differences": {
            "image": {"value": 0.69, "unit": "1 - correlation"},
            "shape": {"value": 0.31, "unit": "mean surface distance over the radius"},
            "pose": {"value": 1e-5, "unit": "degrees"},
        },
    },
)

DIVERSE = _unlike(
    "diverse",
    2.0,
    23.0,
    neurons=[7],
    diverse={
        "found": False,
        "maximum": {"value": 25.0, "sem": 0.0, "from": "optimum"},
        "level": 0.9,
        "differ": "image",
        "difference": 0.8,
        "unit": "1 - correlation",
        "apart": 0.5,
        "far": True,
        "scenes": [
            {
                "folder": "../../elsewhere",
                "activation": {"initial": {"mean": 2.0, "sem": 0.01}, "final": {"mean": 25.0 * part, "sem": 0.25}},
                "of_maximum": part,
                "reached": part >= 0.9,
            }
            for part in (0.96, 0.92, 0.88)
        ],
        "differences": {"image": {"mean": 0.8, "unit": "1 - correlation"}, "pose": {"mean": 40.0, "unit": "degrees"}},
        "pairs": {"image": [[0.0, 0.4, 1.2], [0.4, 0.0, 0.8], [1.2, 0.8, 0.0]], "light": [[0, None], [None, 0]]},
    },
)
"""Three scenes, of which one misses the level."""

CURVE = "restart,step,activation,loss,difference,smoothness,skipped,seconds\n"


def write_recovered(folder: Path, result: dict[str, Any] | None = None) -> Path:
    """A folder as inverse rendering leaves it."""
    write_run(folder, RECOVERED if result is None else result)
    for name in ("stimulus", "initial_stimulus", "pixel_stimulus"):
        (folder / f"{name}.png").unlink()
    for seen in folder.glob("frames/*-stimulus.png"):
        seen.rename(seen.with_name(seen.name.replace("stimulus", "difference")))
    for name, level in {"target": 240, "difference": 30, "frames/final-difference": 120}.items():
        write_png(folder / f"{name}.png", picture(level))
    bumpy(1).export(folder / "true_mesh.ply", file_type="ply")
    rows = [f"0,{s},{-0.5 / s},1,{0.01 * s},0,{s}" for s in range(1, 9)]
    (folder / "metrics.csv").write_text("\n".join(["restart,step,activation,loss,smoothness,skipped,seconds", *rows]))
    return folder


def write_metamer(folder: Path, result: dict[str, Any] | None = None) -> Path:
    """A folder as a search for a metamer leaves it."""
    write_run(folder, METAMER if result is None else result)
    (folder / "pixel_stimulus.png").unlink()
    for name in ("reference", "reference_stimulus"):
        write_png(folder / f"{name}.png", picture(160))
    bumpy(1).export(folder / "reference_mesh.ply", file_type="ply")
    (folder / "metrics.csv").write_text(CURVE + "".join(f"0,{s},{-0.6 / s},1,{0.1 * s},0.1,0,1\n" for s in range(1, 9)))
    return folder


def write_diverse(folder: Path, result: dict[str, Any] | None = None) -> Path:
    """A folder as a search for diverse scenes leaves it."""
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(DIVERSE if result is None else result))
    (folder / "config.yaml").write_text(SCENE)
    (folder / "metrics.csv").write_text(CURVE + "".join(f"0,{s},{-9 / s},1,{0.1 * s},0.1,0,1\n" for s in range(1, 9)))
    for index in range(3):
        (folder / f"scenes/{index}").mkdir(parents=True)
        for name in ("render", "stimulus"):
            write_png(folder / f"scenes/{index}/{name}.png", picture(80 * (index + 1)))
        mesh = bumpy(1)
        mesh.apply_scale((1, 1 + index, 1))
        mesh.export(folder / f"scenes/{index}/mesh.ply", file_type="ply")
    (folder / "frames").mkdir()
    for name in ("frames/step-00001-render", "frames/step-00001-stimulus", "render", "stimulus"):
        write_png(folder / f"{name}.png", np.tile(picture(100), 3))
    return folder
