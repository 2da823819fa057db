"""Lights at a place or in a single direction: how a surface point samples them.

Each light is written with the position, target or direction as an attached value, so that all of them can be free;
Mitsuba's own emitters have no derivative for these. The formulas and units are those of Mitsuba's emitters of the same
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import drjit as dr
import mitsuba as mi

from ...scene.state import LightState

__all__ = [
    "LIGHTS",
    "AreaLight",
    "DirectionalLight",
    "LightSample",
    "PointLight",
    "SpotLight",
    "build_light",
    "spectrum",
]


@dataclass
class LightSample:
    """A sampled light, as seen from a point.

    Attributes
    ----------
    d : mi.Vector3f
        Unit vector from the point to the light.
    distance : mi.Float
        Length of the way, scene units; infinite for a directional light.
    value : mi.Spectrum
        What arrives over the density it was drawn with: times BSDF and cosine, an estimate of the reflected radiance.
    position : mi.Point3f or None
        The place on the light; None where it is infinitely far.
    """

    d: mi.Vector3f
    distance: mi.Float
    value: mi.Spectrum
    position: mi.Point3f | None


def _towards(p: mi.Point3f, position: mi.Point3f) -> tuple[mi.Vector3f, mi.Float]:
    way = position - p
    distance = dr.norm(way)
    return way / distance, distance


@dataclass
class PointLight:
    """Radiant ``intensity`` (power per steradian) in all directions from ``position``."""

    position: mi.Point3f
    intensity: mi.Spectrum

    def sample(self, p: mi.Point3f, sample: mi.Point2f) -> LightSample:
        """The light as seen from ``p``."""
        d, distance = _towards(p, self.position)
        # E = I / r^2 on a plane across the way.
        return LightSample(d, distance, self.intensity / (distance * distance), self.position)


@dataclass
class SpotLight:
    """A point light that shines in a cone about the line to ``target``, constant to ``beam``, then falling linearly
    with the angle to zero at ``cutoff`` (half angles, radians).
    """

    position: mi.Point3f
    target: mi.Point3f
    intensity: mi.Spectrum
    cutoff: float
    beam: float

    def sample(self, p: mi.Point3f, sample: mi.Point2f) -> LightSample:
        """The light as seen from ``p``."""
        d, distance = _towards(p, self.position)
        axis = dr.normalize(self.target - self.position)
        angle = dr.safe_acos(-dr.dot(axis, d))
        falloff = dr.clip((self.cutoff - angle) / (self.cutoff - self.beam), 0, 1)
        return LightSample(d, distance, self.intensity * falloff / (distance * distance), self.position)


@dataclass
class AreaLight:
    """A rectangle that radiates ``radiance`` from its side towards ``normal``. It is invisible and casts no shadow
    itself.

    ``across`` and ``up`` are its edge vectors, ``centre`` its middle.
    """

    centre: mi.Point3f
    across: mi.Vector3f
    up: mi.Vector3f
    radiance: mi.Spectrum

    def sample(self, p: mi.Point3f, sample: mi.Point2f) -> LightSample:
        """A place drawn uniformly on the rectangle, as seen from ``p``; the place moves with the rectangle."""
        position = self.centre + (sample.x - 0.5) * self.across + (sample.y - 0.5) * self.up
        d, distance = _towards(p, position)
        # L cos(theta') A / r^2: p_A = 1 / A, and domega = cos(theta') dA / r^2; |across x up| = A.
        normal_area = dr.cross(self.across, self.up)
        facing = dr.maximum(-dr.dot(normal_area, d), 0)
        return LightSample(d, distance, self.radiance * facing / (distance * distance), position)


@dataclass
class DirectionalLight:
    """Parallel light that travels along the unit vector ``direction``; ``irradiance`` on a plane across it."""

    direction: mi.Vector3f
    irradiance: mi.Spectrum

    def sample(self, p: mi.Point3f, sample: mi.Point2f) -> LightSample:
        """The light as seen from ``p``."""
        return LightSample(-self.direction, mi.Float(dr.inf), mi.Spectrum(self.irradiance), None)


LIGHTS = {"area": AreaLight, "point": PointLight, "spot": SpotLight, "directional": DirectionalLight}
"""Every light by its ``type`` in the scene file; its fields are the values and constants of its LightState."""


def build_light(light: LightState, values: Mapping[str, mi.Float]):
    """A light with its (attached) values, numbers as they come from torch."""
    kind = LIGHTS[light.kind]
    read = {each.name: _READ[each.type] for each in fields(kind) if each.name in light.values}
    return kind(**{name: read[name](values[name]) for name in light.values}, **light.constants)


def _vector(values: mi.Float) -> mi.Vector3f:
    return mi.Vector3f([dr.gather(mi.Float, values, k) for k in range(3)])


def spectrum(values: mi.Float) -> mi.Spectrum:
    """Numbers of all channels as a spectrum."""
    return mi.Spectrum([dr.gather(mi.Float, values, c) for c in range(len(mi.Spectrum()))])


_READ = {
    "mi.Point3f": _vector,
    "mi.Vector3f": _vector,
    "mi.Spectrum": spectrum,
    "mi.Float": lambda values: dr.gather(mi.Float, values, 0),
}
"""By what a light's field is annotated with."""
