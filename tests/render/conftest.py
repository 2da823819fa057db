"""What the tests of rendering share: variants, small scenes, and Mitsuba's own path tracer to compare with."""

from __future__ import annotations

import math
from collections.abc import Callable

import mitsuba as mi
import numpy as np
import pytest
import torch
from torch import Tensor

from mitsuba_mei.geometry.mesh import icosphere
from mitsuba_mei.render.backend import prepare
from mitsuba_mei.scene.state import MaterialState, SceneState

TAN_HALF_FOV = 0.32


@pytest.fixture(scope="module", autouse=True)
def mono():
    """Luminance, if a test does not ask for ``rgb``."""
    prepare("llvm_ad_mono", 1)


@pytest.fixture
def rgb():
    """Three channels, for one test."""
    prepare("llvm_ad_rgb", 3)
    yield
    prepare("llvm_ad_mono", 1)


def bumpy_sphere(subdivisions: int = 3) -> tuple[Tensor, Tensor]:
    """A sphere with bumps and dents that shadow each other: vertices about the origin, faces."""
    mesh = icosphere(subdivisions)
    generator = torch.Generator().manual_seed(1)
    centres = torch.nn.functional.normalize(torch.randn(12, 3, generator=generator), dim=1)
    heights = 0.35 * torch.randn(12, generator=generator)
    bumps = torch.exp(-((mesh.vertices[:, None] - centres) ** 2).sum(-1) / (2 * 0.3**2))
    return mesh.vertices * (1 + bumps @ heights)[:, None], mesh.faces


@pytest.fixture(scope="session")
def bumpy() -> tuple[Tensor, Tensor]:
    """A bumpy sphere of 1280 faces about the origin."""
    return bumpy_sphere()


def _state(vertices: Tensor, faces: Tensor, **given) -> SceneState:
    channels = len(mi.Spectrum())
    fields = {
        "tan_half_fov": torch.tensor(TAN_HALF_FOV),
        "environment": None,
        "detail": 64,
        "lights": (),
        "material": MaterialState("diffuse", {"reflectance": torch.full((channels,), 0.7)}),
        "background": torch.full((channels,), 0.3),
    }
    return SceneState(vertices, faces, **{**fields, **given})


@pytest.fixture(scope="session")
def make_state() -> Callable[..., SceneState]:
    """A scene of a mesh in the camera's frame: grey, unlit, before a grey background, if nothing else is given."""
    return _state


def _reference(
    state: SceneState, folder, emitter: dict, bsdf: dict, depth: int, resolution: int, spp: int
) -> np.ndarray:
    """The same scene by Mitsuba's ``path``, (H, W, C)."""
    mesh = mi.Mesh("reference", len(state.vertices), len(state.faces), has_vertex_normals=True)
    parameters = mi.traverse(mesh)
    parameters["faces"] = mi.UInt32(state.faces.numpy().astype("uint32").ravel())
    parameters["vertex_positions"] = mi.Float(state.vertices.contiguous().numpy().ravel())
    parameters.update()
    mesh.write_ply(str(folder / "reference.ply"))
    scene = mi.load_dict(
        {
            "type": "scene",
            "integrator": {"type": "path", "max_depth": depth, "rr_depth": 1000, "hide_emitters": True},
            "sensor": {
                "type": "perspective",
                "fov": math.degrees(2 * math.atan(state.tan_half_fov.item())),
                "near_clip": 0.01,
                "to_world": mi.ScalarTransform4f().look_at(origin=[0, 0, 0], target=[0, 0, -1], up=[0, 1, 0]),
                "film": {
                    "type": "hdrfilm",
                    "width": resolution,
                    "height": resolution,
                    "rfilter": {"type": "box"},
                    "pixel_format": "luminance" if len(mi.Spectrum()) == 1 else "rgb",
                    "component_format": "float32",
                },
            },
            "object": {"type": "ply", "filename": str(folder / "reference.ply"), "bsdf": bsdf},
            "emitter": emitter,
        }
    )
    return np.array(mi.render(scene, spp=spp, seed=3)).reshape(resolution, resolution, -1)


@pytest.fixture(scope="session")
def reference() -> Callable[..., np.ndarray]:
    """Renders a state's mesh and camera by Mitsuba's ``path``, with an emitter and a BSDF of its own."""
    return _reference
