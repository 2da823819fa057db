"""Distant light: radiance as a function of direction, so that every parameter of it has a derivative."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..config import scene as schema
from ..io.images import read_image
from .camera import Camera
from .color import to_channels
from .component import by_kind
from .emitter_base import EnvironmentEmitter, LobeEmitter
from .panorama import framed, is_detailed, look_at, spread
from .state import Lobe

__all__ = ["Constant", "DISTANT_EMITTERS", "Environment", "SphericalHarmonics", "Sun", "harmonics"]


class Sun(LobeEmitter):
    """A soft sun: radiance that falls off about its centre as a von Mises-Fisher lobe.

    ``L(w) = E / A(k) * k / (2 pi (1 - exp(-2 k))) * exp(k (w . s - 1))`` with ``s`` the unit vector to the sun, ``k``
    the sharpness and ``A(k) = coth k - 1/k`` the mean cosine of the lobe, so that a plane that faces the sun receives
    ``E`` (for k >= 4, within 1 %).
    """

    SETTINGS = schema.Sun

    def state(self, camera: Camera, channels: int) -> Lobe:
        k = self.constants["sharpness"]
        peak = k / (2 * math.pi * -math.expm1(-2 * k)) / (1 / math.tanh(k) - 1 / k)
        towards = camera.rotation_matrix() @ -nn.functional.normalize(self.get("direction"), dim=0)
        return Lobe(towards, peak * self.power("irradiance", channels), k)


class Constant(EnvironmentEmitter):
    """The same ``radiance`` from everywhere."""

    SETTINGS = schema.Constant

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        return self.power("radiance", channels).expand(len(directions), channels)


class Environment(EnvironmentEmitter):
    """An image of all directions: longitude across, latitude down.

    The middle of the image lies at -z, the top at +y, and columns go on towards +x.
    """

    SETTINGS = schema.Environment
    detail = 256

    notes: tuple[str, ...] = ()
    """What of its image was left out or changed."""

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        notes: list[str] = []
        path = self.constants["path"]
        pixels = read_image(Path(path), on_message=notes.append)
        height, width = pixels.shape[:2]
        if abs(width - 2 * height) > max(2, 0.02 * width):
            notes.append(
                f"environment image {path}: it has {width} x {height} pixels, and is taken as a latitude-longitude map "
                "all the same, which is twice as wide as high; a cube map or a light probe must be converted"
            )
        self.notes = tuple(notes)
        self.smooth = is_detailed(pixels)
        image = torch.from_numpy(spread(pixels) if self.smooth else pixels)
        for name, channels in (("colours", 3), ("luminance", 1)):
            self.register_buffer(name, framed(to_channels(image, channels)))

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        longitude = torch.atan2(directions[:, 0], -directions[:, 2]) + self.get("rotation")
        latitude = torch.asin(directions[:, 1].clamp(-1, 1))
        image = self.luminance if channels == 1 else self.colours
        return look_at(image, longitude, latitude, self.smooth) * self.power("intensity", channels)


class SphericalHarmonics(EnvironmentEmitter):
    """Radiance as real spherical harmonics to order 3; where their sum is negative, it is dark.

    The harmonics are orthonormal and real with y up: the pole is +y, m = 1 lies along +x.
    """

    SETTINGS = schema.SphericalHarmonics

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        coefficients = self.get("coefficients")
        value = harmonics(directions)[:, : len(coefficients)] @ coefficients
        return value.clamp_min(0)[:, None].expand(-1, channels)


DISTANT_EMITTERS = by_kind(Sun, Constant, Environment, SphericalHarmonics)


def harmonics(d: Tensor) -> Tensor:
    """Orthonormal real spherical harmonics to order 3 at unit vectors (N, 3), pole +y: (N, 16) by band and m."""
    # Polar coordinates about +y: x stays, z stands for the usual y, y for the usual z.
    x, y, z = d[:, 0], d[:, 2], d[:, 1]
    pi = math.pi
    return torch.stack(
        [
            torch.full_like(x, math.sqrt(1 / (4 * pi))),
            math.sqrt(3 / (4 * pi)) * y,
            math.sqrt(3 / (4 * pi)) * z,
            math.sqrt(3 / (4 * pi)) * x,
            math.sqrt(15 / (4 * pi)) * x * y,
            math.sqrt(15 / (4 * pi)) * y * z,
            math.sqrt(5 / (16 * pi)) * (3 * z**2 - 1),
            math.sqrt(15 / (4 * pi)) * x * z,
            math.sqrt(15 / (16 * pi)) * (x**2 - y**2),
            math.sqrt(35 / (32 * pi)) * y * (3 * x**2 - y**2),
            math.sqrt(105 / (4 * pi)) * x * y * z,
            math.sqrt(21 / (32 * pi)) * y * (5 * z**2 - 1),
            math.sqrt(7 / (16 * pi)) * z * (5 * z**2 - 3),
            math.sqrt(21 / (32 * pi)) * x * (5 * z**2 - 1),
            math.sqrt(105 / (16 * pi)) * z * (x**2 - y**2),
            math.sqrt(35 / (32 * pi)) * x * (x**2 - 3 * y**2),
        ],
        dim=-1,
    )
