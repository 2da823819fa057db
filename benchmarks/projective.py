"""How far off Mitsuba's own estimator of moving shadows is, under a constant light."""

from __future__ import annotations

import time

import torch

from .finite_differences import Probe, difference, weighting
from .measure import compared, mean_and_error
from .mitsuba_loops import MitsubaScene
from .setting import BUMPY, make_bumpy, scene_of

__all__ = ["projective_rows"]

LIGHT = "lighting=[{type: constant, radiance: 0.3}]"
# Without sample_border, against Mitsuba's advice: it scales the gradients of silhouettes up.
FILM = {"rfilter": {"type": "box"}}
ESTIMATOR = {"type": "prb_projective", "sppc": 32, "sppp": 8, "sppi": 32, "guiding": "none"}
PARAMETERS = ("pose.translation", "pose.rotation")


def projective_rows(height: float, spp: int, each: float, backward: float) -> list[dict]:
    """The table's lines: rotation and translation; see :func:`benchmarks.gradients.run` for the arguments."""
    config, scene, _ = scene_of(BUMPY, [LIGHT])
    make_bumpy(scene, height)
    depth = config.render.max_depth
    estimator = _Estimator(MitsubaScene(config, scene, {**ESTIMATOR, "max_depth": depth}, FILM), depth)
    weight = weighting(config.render.resolution)
    found = _gradients(scene, estimator, weight, backward)
    rows = []
    for name in PARAMETERS:
        for axis, direction, values in zip("xyz", torch.eye(3), found[name]):
            *truth, bias = difference(scene, estimator, weight, Probe("", name, direction, 0.02), spp, each)
            gradient = mean_and_error(values)
            rows.append(compared(f"{name} {axis}", truth, gradient, bias))
    return rows


class _Estimator:
    """Mitsuba behind the renderer's interface: images by ``path``, gradients by the scene's own integrator."""

    spp = 16

    def __init__(self, scene: MitsubaScene, max_depth: int) -> None:
        import mitsuba as mi

        self._scene = scene
        self._path = mi.load_dict({"type": "path", "max_depth": max_depth})

    def render(self, state, seed: int, spp: int | None = None) -> torch.Tensor:
        return self._scene.image(state.vertices, spp or self.spp, seed, self._path)

    def vertex_gradient(self, vertices: torch.Tensor, weight: torch.Tensor, seed: int) -> torch.Tensor:
        """Of the weighted image, (V, 3)."""
        import drjit as dr
        import mitsuba as mi

        attached = mi.Float(vertices.detach().numpy().ravel())
        dr.enable_grad(attached)
        self._scene.set(attached)
        image = mi.render(self._scene.scene, self._scene.parameters, seed=seed)
        dr.backward(dr.sum(image * mi.TensorXf(weight[..., None].numpy())))
        return dr.grad(attached).torch().reshape(-1, 3).clone()


def _gradients(scene, estimator: _Estimator, weight: torch.Tensor, seconds: float) -> dict[str, list[list[float]]]:
    """By parameter, then axis, then seed."""
    free = {name: scene.free_parameters()[name] for name in PARAMETERS}
    found: dict[str, list[torch.Tensor]] = {name: [] for name in free}
    began, seed = time.perf_counter(), 0
    while seed < 20 or time.perf_counter() - began < seconds:
        vertices = scene().vertices
        gradient = estimator.vertex_gradient(vertices, weight, seed)
        for name, value in zip(free, torch.autograd.grad(vertices, list(free.values()), gradient)):
            found[name].append(value)
        seed += 1
    return {name: torch.stack(values).T.tolist() for name, values in found.items()}
