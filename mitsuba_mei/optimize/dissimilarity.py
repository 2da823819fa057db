"""In what two scenes differ, and by how much: what the neurons see, shape, pose, light."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import roma
import torch
import torch.nn.functional as F
import trimesh
from scipy.spatial import KDTree
from torch import Tensor

from ..geometry.registration import align, surface_distance
from ..scene.scene import Scene

__all__ = [
    "DEFAULT_THRESHOLD",
    "UNITS",
    "SceneFeatures",
    "Dissimilarity",
    "scene_features",
    "comparable",
    "exact_distance",
]

DEFAULT_THRESHOLD = {"image": 0.5, "shape": 0.25, "pose": 30.0, "light": 30.0}
"""How far is far enough, where a scene file does not say it."""

UNITS = {
    "image": "1 - correlation",
    "shape": "mean surface distance over the radius",
    "pose": "degrees",
    "light": "degrees",
}

REALIGNED = 25
"""Steps after which surfaces that are deformed are laid onto each other anew."""

AHEAD = 1e-6
"""Cosines are kept this far from 1, where the slope of an angle has no end."""


@dataclass(frozen=True)
class SceneFeatures:
    """What of a scene may differ from another's.

    Attributes
    ----------
    seen : Tensor
        The neurons' input, (..., h, w).
    shape : Tensor or None
        Deformed vertices (V, 3), object units; None where there is but an image.
    faces : Tensor or None
        (F, 3).
    rotation : Tensor or None
        Of the object, (3, 3).
    lights : Tensor or None
        (L, 3), unit vectors to every light that has a direction or a place, in their order.
    """

    model_input: Tensor
    shape: Tensor | None = None
    faces: Tensor | None = None
    rotation: Tensor | None = None
    lights: Tensor | None = None

    def detached(self) -> SceneFeatures:
        """The same without gradients."""
        return SceneFeatures(*(None if value is None else value.detach() for value in vars(self).values()))

    @property
    def mesh(self) -> trimesh.Trimesh:
        """The object by itself."""
        vertices = self.shape.detach().cpu().double().numpy()
        return trimesh.Trimesh(vertices, self.faces.cpu().numpy(), process=False)


def scene_features(scene: Scene, shape: Tensor, model_input: Tensor) -> SceneFeatures:
    """Of a scene, its deformed vertices, and what the neurons see of it."""
    return SceneFeatures(model_input, shape, scene.faces, scene.pose.rotation_matrix(), _towards_lights(scene))


def _towards_lights(scene: Scene) -> Tensor | None:
    directions = []
    for light in scene.lighting.emitters:
        if "direction" in light.parameter_names:
            directions.append(-light.get("direction"))
        elif "position" in light.parameter_names:
            directions.append(light.get("position"))
    return F.normalize(torch.stack(directions), dim=1) if directions else None


class Dissimilarity:
    """How far two scenes lie apart in one respect, differentiable.

    image
        1 minus the correlation of the neurons' inputs: 0 for the same image, 2 for its negative.
    shape
        Mean distance of either surface's vertices from the other surface's nearest one's tangent plane, over the mean
        radius, after the rigid motion that lays one onto the other. An approximation of :func:`exact_distance`.
    pose
        The angle of the rotation between them, degrees.
    light
        Mean angle between the directions to the lights, degrees.

    Parameters
    ----------
    kind : str
        One of :data:`DEFAULT_THRESHOLD`.
    """

    def __init__(self, kind: str) -> None:
        self._measure: Callable[[SceneFeatures, SceneFeatures], Tensor]
        self._measure = {"image": _images, "shape": self._shapes, "pose": _turns, "light": _lights}[kind]
        self.laid: np.ndarray | None = None
        """The motion (4, 4) that lays one surface onto the other, and below it how often it has served, (5, 4)."""

    def __call__(self, a: SceneFeatures, b: SceneFeatures) -> Tensor:
        """How far; always of the same two scenes, of which an alignment is remembered."""
        return self._measure(a, b)

    def _shapes(self, a: SceneFeatures, b: SceneFeatures) -> Tensor:
        if self.laid is None or self.laid[4, 0] >= REALIGNED:
            self.laid = np.vstack([align(a.mesh, b.mesh, samples=1500), np.zeros(4)])
        self.laid[4] += 1
        motion = torch.from_numpy(self.laid[:4]).to(a.shape)
        laid = a.shape @ motion[:3, :3].T + motion[:3, 3]
        radius = 0.5 * (_radius(a.shape) + _radius(b.shape)).detach()
        return 0.5 * (_to_surface(laid, b.shape, b.faces) + _to_surface(b.shape, laid, a.faces)) / radius


def _images(a: SceneFeatures, b: SceneFeatures) -> Tensor:
    x, y = ((each.model_input - each.model_input.mean()).flatten() for each in (a, b))
    return 1 - F.cosine_similarity(x, y, dim=0)


def _turns(a: SceneFeatures, b: SceneFeatures) -> Tensor:
    return _degrees(0.5 * ((a.rotation * b.rotation).sum() - 1))


def _lights(a: SceneFeatures, b: SceneFeatures) -> Tensor:
    return _degrees((a.lights * b.lights).sum(1)).mean()


def _degrees(cosine: Tensor) -> Tensor:
    return torch.rad2deg(torch.acos(cosine.clamp(-1 + AHEAD, 1 - AHEAD)))


def _radius(vertices: Tensor) -> Tensor:
    return (vertices - vertices.mean(0)).square().sum(1).mean().sqrt()


def _to_surface(points: Tensor, vertices: Tensor, faces: Tensor) -> Tensor:
    """Mean distance of points from the tangent plane at the nearest vertex."""
    _, nearest = KDTree(vertices.detach().cpu().numpy()).query(points.detach().cpu().numpy())
    nearest = torch.from_numpy(nearest).to(points.device)
    with torch.no_grad():
        corners = vertices[faces]
        normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals = torch.zeros_like(vertices).index_add(0, faces.flatten(), normal.repeat_interleave(3, 0))
        normals = F.normalize(normals, dim=1)
    return ((points - vertices[nearest]) * normals[nearest]).sum(1).abs().mean()


def comparable(kind: str, a: SceneFeatures, b: SceneFeatures) -> bool:
    """Whether both scenes have something of a kind, and as many lights."""
    needed = {"image": "model_input", "shape": "shape", "pose": "rotation", "light": "lights"}[kind]
    first, second = getattr(a, needed), getattr(b, needed)
    return first is not None and second is not None and (kind != "light" or first.shape == second.shape)


def exact_distance(kind: str, a: SceneFeatures, b: SceneFeatures) -> float:
    """How far two scenes lie apart, exactly; NaN where they are not :func:`comparable`.

    Of shapes the symmetric mean surface distance after alignment over the mean radius
    (:func:`~mitsuba_mei.geometry.registration.surface_distance`).
    """
    if not comparable(kind, a, b):
        return math.nan
    if kind == "shape":
        return surface_distance(a.mesh, b.mesh).relative
    if kind == "pose":
        turn = a.rotation.detach().double() @ b.rotation.detach().double().T
        return math.degrees(roma.rotmat_to_rotvec(turn).norm().item())  # exact near 0 and near 180 degrees
    if kind == "light":
        x, y = a.lights.detach().double(), b.lights.detach().double()
        return torch.rad2deg(2 * torch.atan2((x - y).norm(dim=1), (x + y).norm(dim=1))).mean().item()
    return _images(a, b).item()
