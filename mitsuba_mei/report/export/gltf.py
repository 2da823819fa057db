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
from pathlib import Path
from typing import Any

import numpy as np
import torch
import trimesh
from torch import Tensor
from trimesh.exchange.gltf import export_glb

from ...scene.distant_emitters import Sun
from ...scene.emitter import Emitter
from ...scene.emitters import EMITTERS
from ...scene.local_emitters import Directional, Point, Spot
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
def gltf_of(scene: Scene, said: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A scene's glTF but for the numbers of its one mesh: nodes, camera, lights, and the mesh's material.

    Lights are nodes that shine along their own -z. A soft sun becomes a directional light, its sharpness an extra. A
    diffuse surface is rough and without the reflection of glTF's dielectrics; the roughness of a coat, Beckmann's
    alpha, becomes its root, since glTF squares it.

    Parameters
    ----------
    scene : Scene
    said : sequence of mapping
        What its file says of each light, for what is no parameter: the width of a sun, the file of an environment.
    """
    extras = [{**file, **emitter.to_settings()} for file, emitter in zip(said, scene.lighting.emitters)]
    lights = [(number, emitter) for number, emitter in enumerate(scene.lighting.emitters) if _kind(emitter)]
    nodes: list[dict[str, Any]] = [{"name": "object", "mesh": 0}, _camera_node(scene)]
    nodes += [_light_node(number, emitter, index) for index, (number, emitter) in enumerate(lights)]
    used = ["KHR_materials_specular"] if scene.material.KIND == "diffuse" else ["KHR_materials_ior"]
    gltf: dict[str, Any] = {
        "asset": {"version": "2.0", "generator": "mitsuba_mei"},
        "scene": 0,
        "scenes": [{"nodes": list(range(len(nodes))), "extras": _extras(scene, extras)}],
        "nodes": nodes,
        "cameras": [_camera(scene)],
        "materials": [_material(scene.material)],
    }
    if lights:
        used.append("KHR_lights_punctual")
        gltf["extensions"] = {"KHR_lights_punctual": {"lights": [_light(*each, extras[each[0]]) for each in lights]}}
    return gltf | {"extensionsUsed": used}


def left_out(scene: Scene) -> list[str]:
    """The lights that glTF cannot hold, as ``lighting.1 (constant)``."""
    named = enumerate(scene.lighting.emitters)
    return [f"lighting.{number} ({_type(emitter)})" for number, emitter in named if not _kind(emitter)]


@torch.no_grad()
def write_glb(path: Path, scene: Scene, said: Sequence[Mapping[str, Any]]) -> None:
    """Write :func:`gltf_of` and the posed mesh as one binary file."""
    vertices = scene.pose(scene.shape()).cpu().numpy()
    mesh = trimesh.Trimesh(vertices, scene.faces.cpu().numpy(), process=False)

    def complete(tree: dict[str, Any]) -> None:
        tree.update(gltf_of(scene, said))
        tree["meshes"][0]["primitives"][0]["material"] = 0

    objects = trimesh.Scene({"object": mesh})
    path.write_bytes(export_glb(objects, include_normals=True, tree_postprocessor=complete))


# ---------------------------------------------------------------------------------------------------------- object


def _material(material: Material) -> dict[str, Any]:
    said = material.to_settings()
    colour = _rgb(material.get("reflectance"))
    metallic, roughness, extensions = 0.0, 1.0, {"KHR_materials_specular": {"specularFactor": 0.0}}
    if material.KIND == "plastic":
        roughness, extensions = math.sqrt(said["roughness"]), {"KHR_materials_ior": {"ior": material.ior}}
    elif material.KIND == "principled":
        metallic, roughness = said["metallic"], said["roughness"]
        # The reflection at normal incidence is 0.08 times ``specular`` (Burley 2012).
        root = math.sqrt(0.08 * said["specular"])
        extensions = {"KHR_materials_ior": {"ior": (1 + root) / (1 - root)}}
    return {
        "name": material.KIND,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*colour, 1.0],
            "metallicFactor": metallic,
            "roughnessFactor": roughness,
        },
        "extensions": extensions,
        "extras": {"type": material.KIND, **said},
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


def _type(emitter: Emitter) -> str:
    """What a scene file calls it."""
    return next(name for name, kind in EMITTERS.items() if type(emitter) is kind)


def _kind(emitter: Emitter) -> str | None:
    """What glTF calls it; None where it does not know such a light."""
    kinds = {Sun: "directional", Directional: "directional", Point: "point", Spot: "spot"}
    return kinds.get(type(emitter))


def _light(number: int, emitter: Emitter, extras: Mapping[str, Any]) -> dict[str, Any]:
    power = emitter.get("irradiance" if _kind(emitter) == "directional" else "intensity")
    colour = _rgb(power)
    most = max(colour)
    light: dict[str, Any] = {
        "name": f"lighting.{number}",
        "type": _kind(emitter),
        "color": [part / most if most > 0 else 1.0 for part in colour],
        "intensity": LUMENS_PER_WATT * most,
    }
    if isinstance(emitter, Spot):
        light["spot"] = {"innerConeAngle": emitter.beam, "outerConeAngle": emitter.cutoff}
    return light | {"extras": dict(extras)}


def _light_node(number: int, emitter: Emitter, index: int) -> dict[str, Any]:
    place, direction = np.zeros(3), np.array([0.0, 0.0, -1.0])
    if _kind(emitter) == "directional":
        direction = emitter.get("direction").cpu().double().numpy()
    else:
        place = emitter.get("position").cpu().double().numpy()
    if isinstance(emitter, Spot):
        direction = emitter.get("target").cpu().double().numpy() - place
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
        "lights_without_gltf": {f"lighting.{n}": lights[n] for n, emitter in named if not _kind(emitter)},
    }


def _rgb(values: Tensor) -> list[float]:
    values = values.reshape(-1).tolist()
    return values * 3 if len(values) == 1 else values
