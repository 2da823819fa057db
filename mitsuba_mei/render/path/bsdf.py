"""Materials as Mitsuba's BSDFs, and the names of their parameters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import drjit as dr
import mitsuba as mi

from ...scene.state import MaterialState

__all__ = ["BSDFS", "RoughCoat", "build_coat", "build_material", "update_material"]


@dataclass(frozen=True)
class Plugin:
    """A Mitsuba plugin for a material.

    Attributes
    ----------
    name : str
        The plugin's.
    parameters : dict of str to str
        What the plugin calls each of the material's tensors once it is loaded.
    description : dict
        Values to load it with; those of the parameters are written later.
    constants : dict of str to str
        What the description calls each of the material's constants.
    coat : bool
        Whether its derivative by roughness needs :class:`RoughCoat`.
    """

    name: str
    parameters: dict[str, str]
    description: dict[str, Any]
    constants: dict[str, str] = field(default_factory=dict)
    coat: bool = False


RGB = {"type": "rgb", "value": 0.5}

BSDFS = {
    "diffuse": Plugin("diffuse", {"reflectance": "reflectance.value"}, {"reflectance": RGB}),
    "plastic": Plugin(
        "roughplastic",
        {"reflectance": "diffuse_reflectance.value", "roughness": "alpha"},
        {"diffuse_reflectance": RGB, "nonlinear": True, "alpha": 0.3},
        constants={"ior": "int_ior"},
        coat=True,
    ),
    "principled": Plugin(
        "principled",
        {
            "reflectance": "base_color.value",
            "roughness": "roughness.value",
            "metallic": "metallic.value",
            "specular": "specular",
        },
        {"base_color": RGB, "roughness": 0.5, "metallic": 0.1, "specular": 0.5},
    ),
}
"""Every material by its ``type`` in the scene file."""


def build_material(material: MaterialState) -> mi.BSDF:
    """The BSDF of a material."""
    plugin = BSDFS[material.kind]
    constants = {plugin.constants[name]: value for name, value in material.constants.items()}
    return mi.load_dict({"type": plugin.name, **plugin.description, **constants})


def build_coat(bsdf: mi.BSDF, material: MaterialState) -> RoughCoat | None:
    """The same BSDF with its whole derivative; None where it has that by itself."""
    return RoughCoat(bsdf, material) if BSDFS[material.kind].coat else None


def update_material(parameters: mi.SceneParameters, material: MaterialState, values: dict) -> None:
    """Write the (attached) ``values["material.<name>"]`` into a BSDF's parameters."""
    for name, key in BSDFS[material.kind].parameters.items():
        value = values[f"material.{name}"]
        if name == "reflectance" and len(mi.Spectrum()) == 3:
            value = mi.Color3f([dr.gather(mi.Float, value, c) for c in range(3)])
        # Writing what is there already would rebuild a rough coat's tables.
        if dr.grad_enabled(value, parameters[key]) or dr.any(value != parameters[key], axis=None):
            parameters[key] = value
    parameters.update()


class RoughCoat:
    """A ``roughplastic`` whose derivative by roughness is whole.

    Mitsuba keeps the share of light that the coat lets through in a table without derivatives, so the diffuse base
    would have none; here its slope comes from two neighbours, rougher and smoother by 5 %.
    """

    STEP = 0.05

    def __init__(self, bsdf: mi.BSDF, material: MaterialState) -> None:
        self.pdf, self.sample, self.flags = bsdf.pdf, bsdf.sample, bsdf.flags
        self._bsdf = bsdf
        self._neighbours = [build_material(material) for _ in range(2)]
        self._parameters = [mi.traverse(neighbour) for neighbour in self._neighbours]
        self._base = mi.BSDFContext()
        self._base.component = 1

    def update(self, material: MaterialState, values: dict) -> None:
        """Move the neighbours to either side of the (attached) ``values["material.roughness"]``."""
        self._roughness = values["material.roughness"]
        for parameters, factor in zip(self._parameters, (1 - self.STEP, 1 + self.STEP)):
            near = {name: dr.detach(value) for name, value in values.items() if name.startswith("material.")}
            near["material.roughness"] = near["material.roughness"] * factor
            update_material(parameters, material, near)

    def eval(
        self, context: mi.BSDFContext, si: mi.SurfaceInteraction3f, wo: mi.Vector3f, active: mi.Bool
    ) -> mi.Spectrum:
        """BSDF times cosine, as of ``mi.BSDF``."""
        value = self._bsdf.eval(context, si, wo, active)
        if not dr.grad_enabled(self._roughness):
            return value
        with dr.suspend_grad():
            below, above = (neighbour.eval(self._base, si, wo, active) for neighbour in self._neighbours)
            # Central difference: df / dalpha ~ (f(1.05 alpha) - f(0.95 alpha)) / (0.1 alpha).
            slope = (above - below) / (2 * self.STEP * self._roughness)
        return value + dr.detach(slope) * (self._roughness - dr.detach(self._roughness))
