"""Materials as Mitsuba's BSDFs, and the names of their parameters."""

from __future__ import annotations

import mitsuba as mi

from ..scene.state import MaterialState

__all__ = ["build_material", "update_material"]

PLUGINS = {"diffuse": "diffuse", "plastic": "roughplastic", "principled": "principled"}
PARAMETERS = {
    "diffuse": {"reflectance": "reflectance.value"},
    "plastic": {"reflectance": "diffuse_reflectance.value", "roughness": "alpha"},
    "principled": {
        "reflectance": "base_color.value",
        "roughness": "roughness.value",
        "metallic": "metallic.value",
        "specular": "specular",
    },
}


def build_material(material: MaterialState) -> mi.BSDF:
    """The BSDF of a material."""
    rgb = {"type": "rgb", "value": 0.5}
    description = {"type": PLUGINS[material.kind]}
    if material.kind == "diffuse":
        description["reflectance"] = rgb
    elif material.kind == "plastic":
        description |= {"diffuse_reflectance": rgb, "nonlinear": True, "int_ior": material.ior, "alpha": 0.3}
    else:
        description |= {"base_color": rgb, "roughness": 0.5, "metallic": 0.1, "specular": 0.5}
    return mi.load_dict(description)


def update_material(parameters: mi.SceneParameters, material: MaterialState, values: dict) -> None:
    """Write the (attached) ``values["material.<name>"]`` into a BSDF's parameters."""
    import drjit as dr

    for name, key in PARAMETERS[material.kind].items():
        value = values[f"material.{name}"]
        if name == "reflectance" and len(mi.Spectrum()) == 3:
            value = mi.Color3f([dr.gather(mi.Float, value, c) for c in range(3)])
        parameters[key] = value
    parameters.update()
