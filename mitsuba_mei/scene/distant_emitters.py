"""Distant light: radiance as a function of direction, so that every parameter of it has a derivative."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import UserError
from ..io.images import read_image
from .camera import Camera
from .color import to_channels
from .component import POSITIVE
from .emitter import EnvironmentEmitter, LobeEmitter, unit
from .panorama import framed, is_detailed, look_at, spread
from .state import Lobe

__all__ = ["Constant", "Environment", "SphericalHarmonics", "Sun", "harmonics"]


class Sun(LobeEmitter):
    """A soft sun: radiance that falls off about its centre as a von Mises-Fisher lobe.

    ``L(w) = E / A(k) * k / (2 pi (1 - exp(-2 k))) * exp(k (w . s - 1))`` with ``s`` the unit vector to the sun, ``k``
    the sharpness and ``A(k) = coth k - 1/k`` the mean cosine of the lobe, so that a plane that faces the sun receives
    ``E`` (for k >= 4, within 1 %).

    Parameters
    ----------
    direction : 3 float
        Where the light travels to; any length.
    irradiance : float or 3 float
        On a plane facing the sun.
    sharpness : float
        At least 1; the lobe's width is about 1 / sqrt(sharpness) radians. Fixed.
    free : iterable of str
        Of ``direction``, ``irradiance``.
    """

    FREEABLE = ("direction", "irradiance")

    def __init__(
        self,
        direction: Sequence[float] = (-0.6, -0.5, -1.0),
        irradiance: float | Sequence[float] = 3.0,
        sharpness: float = 50.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        self.declare("direction", unit(direction, "sun"), free="direction" in free)
        self.declare("irradiance", irradiance, POSITIVE, free="irradiance" in free)
        self.sharpness = sharpness

    def state(self, camera: Camera, channels: int) -> Lobe:
        k = self.sharpness
        peak = k / (2 * math.pi * -math.expm1(-2 * k)) / (1 / math.tanh(k) - 1 / k)
        towards = camera.rotation_matrix() @ -nn.functional.normalize(self.get("direction"), dim=0)
        return Lobe(towards, peak * self.power("irradiance", channels), k)


class Constant(EnvironmentEmitter):
    """The same ``radiance`` from everywhere."""

    FREEABLE = ("radiance",)

    def __init__(self, radiance: float | Sequence[float] = 0.3, free: Iterable[str] = ()) -> None:
        super().__init__()
        free = self.check_free(free)
        self.declare("radiance", radiance, POSITIVE, free="radiance" in free)

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        return self.power("radiance", channels).expand(len(directions), channels)


class Environment(EnvironmentEmitter):
    """An image of all directions: longitude across, latitude down.

    The middle of the image lies at -z, the top at +y, and columns go on towards +x.

    Parameters
    ----------
    path : path
        EXR, HDR (linear) or PNG (sRGB).
    intensity : float or 3 float
        Factor on its radiance.
    rotation : float
        About y, counter-clockwise from above, degrees.
    free : iterable of str
        Of ``intensity``, ``rotation``.
    """

    FREEABLE = ("intensity", "rotation")
    detail = 256

    notes: tuple[str, ...] = ()
    """What of its image was left out or changed."""

    def __init__(
        self,
        path: str | Path,
        intensity: float | Sequence[float] = 1.0,
        rotation: float = 0.0,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        notes: list[str] = []
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
        self.declare("intensity", intensity, POSITIVE, free="intensity" in free)
        self.declare("rotation", math.radians(rotation), free="rotation" in free)

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        longitude = torch.atan2(directions[:, 0], -directions[:, 2]) + self.get("rotation")
        latitude = torch.asin(directions[:, 1].clamp(-1, 1))
        image = self.luminance if channels == 1 else self.colours
        return look_at(image, longitude, latitude, self.smooth) * self.power("intensity", channels)

    def to_settings(self) -> dict[str, float | list[float]]:
        return super().to_settings() | {"rotation": math.degrees(self.get("rotation").item())}


class SphericalHarmonics(EnvironmentEmitter):
    """Radiance as real spherical harmonics to order 3; where their sum is negative, it is dark.

    Parameters
    ----------
    coefficients : 1, 4, 9 or 16 float
        By band, and in each band from m = -l to l, of orthonormal real harmonics with y up (the pole is +y, m = 1 lies
        along +x).
    free : iterable of str
        Of ``coefficients``.
    """

    FREEABLE = ("coefficients",)

    def __init__(self, coefficients: Sequence[float] = (1.0,), free: Iterable[str] = ()) -> None:
        super().__init__()
        free = self.check_free(free)
        if len(coefficients) not in (1, 4, 9, 16):
            raise UserError(f"spherical_harmonics.coefficients has {len(coefficients)} numbers; allowed: 1, 4, 9 or 16")
        self.declare("coefficients", list(coefficients), free="coefficients" in free)

    def incident(self, directions: Tensor, channels: int) -> Tensor:
        coefficients = self.get("coefficients")
        value = harmonics(directions)[:, : len(coefficients)] @ coefficients
        return value.clamp_min(0)[:, None].expand(-1, channels)


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
