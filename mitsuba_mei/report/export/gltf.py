"""A scene as glTF 2.0: the posed mesh, the camera, the lights that glTF knows, and the material.

Both are right-handed with y up, a camera looks along its own -z, and so does a light; lengths stay as they are. Powers
here are radiometric, without a unit of their own; glTF's are photometric, and are 683 lumens per watt times as much,
which importers divide by: an irradiance E becomes E W/m^2 in Blender. What glTF cannot say is kept in ``extras``.

References
----------
Khronos Group (2021). glTF 2.0 Specification; extensions KHR_lights_punctual, KHR_materials_ior, KHR_materials_specular.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor
from trimesh.exchange.gltf import export_glb

from ...scene.emitter_base import Emitter
from ...scene.material import Material
from ...scene.scene import Scene

__all__ = ["LUMENS_PER_WATT", "gltf_of", "left_out", "write_glb"]

LUMENS_PER_WATT = 683.0
NEAR = 0.01
UNITS = (
    "Lengths: scene units as metres. Irradiance, intensity and radiance are radiometric in a unit of the scene's own; "
    "the lights' intensities in KHR_lights_punctual are 683 times as much (lux for directional lights, candela for "
    "point and spot lights), so that importers which divide by 683 lm/W give the same numbers in W/m^2 and W/sr."
)


@torch.no_grad()
def gltf_of(scene: Scene, settings: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A scene's glTF but for the numbers of its one mesh: nodes, camera, lights, and the mesh's material.

    Lights are nodes that shine along their own -z. A soft sun becomes a directional light, its sharpness an extra. A
    diffuse surface is rough and without the reflection of glTF's dielectrics; the roughness of a coat, Beckmann's
    alpha, becomes its root, since glTF squares it.

    Parameters
    ----------
    scene : Scene
    settings : sequence of mapping
        What its file says of each light, for what is no parameter: the width of a sun, the file of an environment.
    """
    extras = [{**file, **emitter.to_settings()} for file, emitter in zip(settings, scene.lighting.emitters)]
    lights = [(number, emitter) for number, emitter in enumerate(scene.lighting.emitters) if emitter.KIND in LIGHTS]
    nodes: list[dict[str, Any]] = [{"name": "object", "mesh": 0}, _camera_node(scene)]
    nodes += [_light_node(number, emitter, index) for index, (number, emitter) in enumerate(lights)]
    material = _material(scene.material)
    used = list(material["extensions"])
    gltf: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "mitsuba_mei"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes))), "extras": _extras(scene, extras)}],
        "nodes": nodes,
        "cameras": [_camera(scene)],
        "materials": [material],
    }
    if lights:
        used.append("KHR_lights_punctual")
        gltf["extensions"] = {"KHR_lights_punctual": {"lights": [_light(*each, extras[each[0]]) for each in lights]}}
    return gltf | {"extensionsUsed": used}


def left_out(scene: Scene) -> list[str]:
    """The lights that glTF cannot hold, as ``lighting.1 (constant)``."""
    named = enumerate(scene.lighting.emitters)
    return [f"lighting.{number} ({emitter.KIND})" for number, emitter in named if emitter.KIND not in LIGHTS]


@torch.no_grad()
def write_glb(path: Path, scene: Scene, settings: Sequence[Mapping[str, Any]]) -> None:
    """Write :func:`gltf_of` and the posed mesh as one binary file."""
    vertices = scene.pose(scene.shape()).cpu().numpy()
    mesh = trimesh.Trimesh(vertices, scene.faces.cpu().numpy(), process=False)

    def complete(tree: dict[str, Any]) -> None:
        tree.update(gltf_of(scene, settings))
        tree["meshes"][0]["primitives"][0]["material"] = 0

    objects = trimesh.Scene({"object": mesh})
    path.write_bytes(export_glb(objects, include_normals=True, tree_postprocessor=complete))


# ---------------------------------------------------------------------------------------------------------- object


@dataclass(frozen=True)
class Surface:
    """What glTF says of a material beside its colour."""

    metallic: float
    roughness: float
    extensions: dict[str, Any]


def _diffuse(material: Material) -> Surface:
    return Surface(0.0, 1.0, {"KHR_materials_specular": {"specularFactor": 0.0}})


def _plastic(material: Material) -> Surface:
    ior = {"KHR_materials_ior": {"ior": material.constants["ior"]}}
    return Surface(0.0, math.sqrt(material.get("roughness").item()), ior)


def _principled(material: Material) -> Surface:
    metallic, roughness, specular = (material.get(name).item() for name in ("metallic", "roughness", "specular"))
    # The reflection at normal incidence is 0.08 times ``specular`` (Burley 2012).
    root = math.sqrt(0.08 * specular)
    return Surface(metallic, roughness, {"KHR_materials_ior": {"ior": (1 + root) / (1 - root)}})


MATERIALS = {"diffuse": _diffuse, "plastic": _plastic, "principled": _principled}
"""Materials that glTF has an equal of; any other is written as a diffuse one of its colour, the rest as extras."""


def _material(material: Material) -> dict[str, Any]:
    surface = MATERIALS.get(material.KIND, _diffuse)(material)
    return {
        "name": material.KIND,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*_rgb(material.get("reflectance")), 1.0],
            "metallicFactor": surface.metallic,
            "roughnessFactor": surface.roughness,
        },
        "extensions": surface.extensions,
        "extras": {"type": material.KIND, **material.to_settings()},
    }


# ---------------------------------------------------------------------------------------------- camera and lights


def _camera(scene: Scene) -> dict[str, Any]:
    fov = math.radians(scene.camera.to_settings()["fov"])
    return {"type": "perspective", "perspective": {"aspectRatio": 1.0, "yfov": fov, "znear": NEAR}}


def _camera_node(scene: Scene) -> dict[str, Any]:
    axes = scene.camera.rotation_matrix().cpu().double().numpy().T  # columns: right, up, back
    place = axes[:, 2] * scene.camera.get("distance").item()
    return {"name": "camera", "camera": 0, "matrix": _matrix(axes, place)}


def _matrix(axes: np.ndarray, place: np.ndarray) -> list[float]:
    """Four by four, column by column."""
    whole = np.eye(4)
    whole[:3, :3], whole[:3, 3] = axes, place
    return whole.T.ravel().tolist()


@dataclass(frozen=True)
class Punctual:
    """What glTF calls a light, and what its colour is called here."""

    type: str
    power: str


LIGHTS = {
    "sun": Punctual("directional", "irradiance"),
    "directional": Punctual("directional", "irradiance"),
    "point": Punctual("point", "intensity"),
    "spot": Punctual("spot", "intensity"),
}
"""The lights that glTF knows; every other is left out, and kept as an extra."""


def _light(number: int, emitter: Emitter, extras: Mapping[str, Any]) -> dict[str, Any]:
    punctual = LIGHTS[emitter.KIND]
    colour = _rgb(emitter.get(punctual.power))
    most = max(colour)
    light: dict[str, Any] = {
        "name": f"lighting.{number}",
        "type": punctual.type,
        "color": [part / most if most > 0 else 1.0 for part in colour],
        "intensity": LUMENS_PER_WATT * most,
    }
    if "cutoff" in emitter.constants:
        light["spot"] = {"innerConeAngle": emitter.constants["beam"], "outerConeAngle": emitter.constants["cutoff"]}
    return light | {"extras": dict(extras)}


def _light_node(number: int, emitter: Emitter, index: int) -> dict[str, Any]:
    place, direction = np.zeros(3), np.array([0.0, 0.0, -1.0])
    vectors = {name: emitter.get(name).cpu().double().numpy() for name in emitter.parameter_names}
    if "position" in vectors:
        place = vectors["position"]
    if "target" in vectors:
        direction = vectors["target"] - place
    if "direction" in vectors:
        direction = vectors["direction"]
    node = {"name": f"lighting.{number}", "matrix": _matrix(_looking(direction), place)}
    return node | {"extensions": {"KHR_lights_punctual": {"light": index}}}


def _looking(direction: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that turns -z into a direction."""
    back = -direction / np.linalg.norm(direction)
    aside = np.cross([0.0, 1.0, 0.0] if abs(back[1]) < 0.999 else [0.0, 0.0, 1.0], back)
    right = aside / np.linalg.norm(aside)
    return np.stack([right, np.cross(back, right), back], axis=1)


# ---------------------------------------------------------------------------------------------------------- extras


def _extras(scene: Scene, lights: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What glTF has no place for."""
    named = enumerate(scene.lighting.emitters)
    return {
        "units": UNITS,
        "background": scene.background.tolist(),
        "lights_without_gltf": {f"lighting.{n}": lights[n] for n, emitter in named if emitter.KIND not in LIGHTS},
    }


def _rgb(values: Tensor) -> list[float]:
    values = values.reshape(-1).tolist()
    return values * 3 if len(values) == 1 else values
