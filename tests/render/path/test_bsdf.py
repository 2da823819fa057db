"""Materials: values and derivatives of their parameters."""

from __future__ import annotations

import drjit as dr
import mitsuba as mi
import numpy as np
import pytest
import torch

from mitsuba_mei.render.path.bsdf import BSDFS, RoughCoat, build_material, update_material
from mitsuba_mei.scene.state import MaterialState

VALUES = {
    "diffuse": {"reflectance": 0.6},
    "plastic": {"reflectance": 0.6, "roughness": 0.25},
    "principled": {"reflectance": 0.6, "roughness": 0.4, "metallic": 0.3, "specular": 0.6},
}


def state(kind: str) -> MaterialState:
    values = {name: torch.tensor([value]) for name, value in VALUES[kind].items()}
    return MaterialState(kind, values, {"ior": 1.5} if kind == "plastic" else {})


def interaction() -> tuple[mi.SurfaceInteraction3f, mi.Vector3f]:
    """Pairs of directions, in the frame of a facet."""
    generator = np.random.default_rng(0)
    wi, wo = generator.normal(size=(2, 3, 64)).astype(np.float32)
    wi[2], wo[2] = 0.3 + np.abs(wi[2]), 0.3 + np.abs(wo[2])
    si = dr.zeros(mi.SurfaceInteraction3f, 64)
    si.wi = dr.normalize(mi.Vector3f(wi))
    return si, dr.normalize(mi.Vector3f(wo))


def values_of(kind: str, **changed: float) -> dict:
    return {f"material.{name}": mi.Float(changed.get(name, value)) for name, value in VALUES[kind].items()}


def updated(kind: str, values: dict):
    bsdf = build_material(state(kind))
    update_material(mi.traverse(bsdf), state(kind), values)
    if kind == "plastic":
        coat = RoughCoat(bsdf, state(kind))
        coat.update(state(kind), values)
        return coat
    return bsdf


def evaluated(kind: str, values: dict) -> mi.Float:
    si, wo = interaction()
    return updated(kind, values).eval(mi.BSDFContext(), si, wo, mi.Bool(True))[0]


@pytest.mark.parametrize("kind", VALUES)
def test_every_parameter_reaches_mitsuba(kind):
    assert set(BSDFS[kind].parameters) == set(VALUES[kind])
    bsdf = build_material(state(kind))
    parameters = mi.traverse(bsdf)
    update_material(parameters, state(kind), values_of(kind))
    for name, key in BSDFS[kind].parameters.items():
        assert np.ravel(parameters[key])[0] == pytest.approx(VALUES[kind][name])


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in VALUES.items() for name in names])
def test_derivatives_agree_with_finite_differences(kind, name):
    values = values_of(kind)
    dr.enable_grad(values[f"material.{name}"])
    value = evaluated(kind, values)
    dr.forward(values[f"material.{name}"])
    slope = dr.grad(value).numpy()
    h = 0.005
    above, below = (evaluated(kind, values_of(kind, **{name: VALUES[kind][name] + s * h})).numpy() for s in (1, -1))
    expected = (above - below) / (2 * h)
    np.testing.assert_allclose(slope, expected, rtol=0.02, atol=0.01 * np.abs(expected).max())


def test_a_coat_of_another_index_reflects_more():
    reflected = []
    for ior in (1.3, 1.8):
        bsdf = build_material(MaterialState("plastic", state("plastic").values, {"ior": ior}))
        si, wo = interaction()
        context = mi.BSDFContext()
        context.component = 0
        reflected.append(dr.mean(bsdf.eval(context, si, wo)[0])[0])
    assert reflected[1] > 1.5 * reflected[0]


def test_colours_stay_colours(rgb):
    material = MaterialState("diffuse", {"reflectance": torch.tensor([0.2, 0.4, 0.8])})
    bsdf = build_material(material)
    update_material(mi.traverse(bsdf), material, {"material.reflectance": mi.Float([0.2, 0.4, 0.8])})
    si = dr.zeros(mi.SurfaceInteraction3f)
    si.wi = mi.Vector3f(0, 0, 1)
    value = bsdf.eval(mi.BSDFContext(), si, mi.Vector3f(0, 0, 1))
    np.testing.assert_allclose(value.numpy().ravel() * np.pi, [0.2, 0.4, 0.8], rtol=1e-5)
