"""The rasterizer's gradients against finite differences of a supersampled rasterization, parameter by parameter."""

from __future__ import annotations

import torch
from torch import Tensor

from mitsuba_mei.render.raster.renderer import RasterRenderer
from mitsuba_mei.scene.state import SceneState

from .finite_differences import along, difference, gradients, gross, weighting
from .gradients import AREA, BUMPS, LIGHTS, PLASTIC, SUN, probes
from .measure import AGREES, compared
from .report import Report, Target
from .setting import BUMPY, make_bumpy, scene_of

__all__ = ["Supersampled", "run"]

FINER, CELLS = 4, 4
NOTE = (
    "step bias: what the extrapolation from two steps took off the plain difference; of gross: the difference over the "
    "sum of the pixels' own derivatives without sign"
)


class Supersampled:
    """Rasterizes at several times the resolution and takes means over the pixels.

    Parameters
    ----------
    state : SceneState
        A first state.
    resolution : int
        Of the image that it gives.
    finer : int
        Pixels rendered along a side of one.
    """

    noisy = False
    spp = 1

    def __init__(self, state: SceneState, resolution: int, finer: int = FINER) -> None:
        self._shape = resolution, finer, resolution, finer, -1
        self._fine = RasterRenderer(state, resolution * finer, CELLS)

    def render(self, state: SceneState, seed: int = 0, spp: int | None = None) -> Tensor:
        """The image (H, W, C)."""
        return self._fine.render(state).reshape(self._shape).mean((1, 3))


def run(report: Report) -> None:
    """One table for each lighting, as those of the path tracer's gradients; see :mod:`benchmarks.gradients`."""
    every = []
    for name, lights in LIGHTS.items():
        lighting, lit = (f"lighting=[{', '.join(them)}]" for them in (lights, [*lights, AREA]))
        turned = ["lighting.0.free=[direction, irradiance]"] if SUN in lights else []
        rows = _rows([lighting, *turned])
        rows += _rows([lighting, PLASTIC, *turned], "plastic: ")
        rows += _rows([lit], "with an area light: ", f"lighting.{len(lights)}")
        report.table(f"Gradients, light: {name}", rows, NOTE, f"gradients, light {name}")
        every += rows
    kept = sum(row["verdict"] == AGREES for row in every)
    report.targets(
        Target(f"gradients that agree within 5 %, % of {len(every)}", 100 * kept / len(every), least=100),
        Target("largest difference, % of gross", max(row["of gross %"] for row in every), most=5),
    )


def _rows(overrides: list[str], prefix: str = "", part: str = "") -> list[dict]:
    """Lines for the free parameters whose path starts with ``part``."""
    config, scene, renderer = scene_of(BUMPY, ["render.type=raster", *overrides])
    make_bumpy(scene, BUMPS)
    resolution = config.render.resolution
    with torch.no_grad():
        fine = Supersampled(scene(), resolution)
    weight = weighting(resolution)
    found = gradients(scene, renderer, weight, 0.0, fewest=1)
    rows = []
    for probe in probes(scene, {name: values[0] for name, values in found.items()}):
        if probe.parameter.startswith(part):
            *truth, bias = difference(scene, fine, weight, probe, 1, 0.0)
            row = compared(prefix + probe.label, tuple(truth), along(found, probe), bias)
            apart = abs(row["gradient"] - row["finite differences"])
            rows.append(row | {"of gross %": 100 * apart / gross(scene, fine, weight, probe)})
    return rows
