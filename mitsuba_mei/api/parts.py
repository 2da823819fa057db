"""Scene parts for Python users: the scene file's mappings, called with their names, defaults and ranges."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..config import card, scene, sections
from ..config.arguments import checked, described, signature_of
from ..config.fields import Part
from ..errors import UserError

__all__ = [
    "Area",
    "Camera",
    "Constant",
    "Diffuse",
    "Directional",
    "Environment",
    "Input",
    "Plastic",
    "Point",
    "Pose",
    "Principled",
    "RBFDeformation",
    "Render",
    "SphericalHarmonics",
    "Spot",
    "Stimulus",
    "Sun",
    "capsule",
    "cube",
    "icosphere",
    "torus",
]


def _maker(name: str, settings: type[Part], example: str, by_name: bool = False) -> Callable[..., Any]:
    """A function that makes a mapping of the scene file from positional or keyword arguments, or from these alone."""
    signature = signature_of(settings)
    names = list(signature.parameters)

    def make(*values: Any, **named: Any) -> Part:
        if values and by_name:
            raise UserError(f"{name} takes its values by name, as in {example}")
        if len(values) > len(names):
            raise UserError(f"{name} takes at most {len(names)} values ({', '.join(names)}), not {len(values)}")
        given = dict(zip(names, values))
        twice = sorted(given.keys() & named.keys())
        if twice:
            raise UserError(f"{name}: {twice[0]} is given twice; give it once")
        return checked(settings, name, given | named)

    make.__name__ = make.__qualname__ = name
    make.__module__ = "mitsuba_mei"
    kind = inspect.Parameter.KEYWORD_ONLY if by_name else inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [each.replace(kind=kind) for each in signature.parameters.values()]
    make.__signature__ = signature.replace(parameters=parameters, return_annotation=settings)
    make.__doc__ = "\n".join(
        [
            inspect.cleandoc(settings.__doc__ or ""),
            "",
            described(settings),
            "",
            "Returns",
            "-------",
            settings.__name__,
            "    As the scene file has it; it cannot be changed.",
            "",
            "Raises",
            "------",
            "UserError",
            "    For a name or a value that a scene file may not have either.",
            "",
            "Examples",
            "--------",
            ">>> import mitsuba_mei as mm",
            f">>> part = mm.{example}",
            "",
        ]
    )
    return make


icosphere = _maker("icosphere", scene.Icosphere, "icosphere(4)")
cube = _maker("cube", scene.Cube, "cube(subdivisions=4)")
torus = _maker("torus", scene.Torus, "torus(tube_radius=0.35)")
capsule = _maker("capsule", scene.Capsule, "capsule(aspect=2)")
RBFDeformation = _maker("RBFDeformation", scene.RBF, 'RBFDeformation(control_points=64, kernel="gaussian", scale=0.3)')
Pose = _maker("Pose", scene.Pose, 'Pose(rotation=(0, 30, 0), free=["rotation"])')
Camera = _maker("Camera", scene.Camera, "Camera(fov=35, distance=5)")
Sun = _maker("Sun", scene.Sun, "Sun(direction=(-0.6, -0.5, -1), irradiance=3)")
Constant = _maker("Constant", scene.Constant, "Constant(0.3)")
Environment = _maker("Environment", scene.Environment, 'Environment(path="sky.exr")')
SphericalHarmonics = _maker("SphericalHarmonics", scene.SphericalHarmonics, "SphericalHarmonics()")
Area = _maker("Area", scene.Area, "Area()")
Point = _maker("Point", scene.Point, "Point(position=(2, 2, 2))")
Directional = _maker("Directional", scene.Directional, "Directional(direction=(0, 0, -1))")
Spot = _maker("Spot", scene.Spot, "Spot(position=(0, 3, 3))")
Diffuse = _maker("Diffuse", scene.Diffuse, "Diffuse(reflectance=0.7)")
Plastic = _maker("Plastic", scene.Plastic, "Plastic(roughness=0.2)")
Principled = _maker("Principled", scene.Principled, "Principled(metallic=1, roughness=0.3)")
Input = _maker("Input", card.Input, "Input(size=93, mean=124.5, std=70.3)", by_name=True)
Stimulus = _maker("Stimulus", sections.Stimulus, "Stimulus(norm=25)")
Render = _maker("Render", sections.Render, 'Render(type="path", resolution=100, spp=16)')
