"""Mitsuba's materials at given directions, to compare with."""

from __future__ import annotations

import drjit as dr
import mitsuba as mi
import numpy as np
import torch
from torch import Tensor

from mitsuba_mei.render.path.bsdf import build_material, update_material
from mitsuba_mei.scene.state import MaterialState

__all__ = ["bsdf_of", "of_mitsuba", "seen_from"]


def bsdf_of(state: MaterialState) -> mi.BSDF:
    """A material as Mitsuba's, with its values."""
    bsdf = build_material(state)
    values = {f"material.{name}": mi.Float(value.tolist()) for name, value in state.values.items()}
    update_material(mi.traverse(bsdf), state, values)
    return bsdf


def seen_from(viewer: Tensor) -> mi.SurfaceInteraction3f:
    """A facet, seen from directions (N, 3) in its frame."""
    si = dr.zeros(mi.SurfaceInteraction3f, len(viewer))
    si.wi = mi.Vector3f(viewer.T.numpy())
    si.sh_frame = mi.Frame3f(mi.Normal3f(0, 0, 1))
    si.n = mi.Normal3f(0, 0, 1)
    return si


def of_mitsuba(state: MaterialState, viewer: Tensor, light: Tensor) -> Tensor:
    """BSDF times cosine, (N, C), for directions (N, 3) in the frame of a facet."""
    value = bsdf_of(state).eval(mi.BSDFContext(), seen_from(viewer), mi.Vector3f(light.T.numpy()))
    return torch.from_numpy(np.array(value)).reshape(-1, len(viewer)).T
