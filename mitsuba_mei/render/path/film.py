"""The pinhole camera at the origin, looking along -z, and its film."""

from __future__ import annotations

from dataclasses import dataclass

import drjit as dr
import mitsuba as mi

from .sampler import Sampler

__all__ = ["Film"]


@dataclass
class Film:
    """A square film of ``resolution`` x ``resolution`` pixels; a pixel's value is the mean radiance over its area.

    Film coordinates run from -1 to 1, x to the right and y up.

    Attributes
    ----------
    tan_half_fov : mi.Float
        Tangent of half the field of view; may be attached.
    """

    resolution: int
    tan_half_fov: mi.Float
    near: float = 1e-3

    @property
    def pixel_area(self) -> float:
        """A pixel's area in film coordinates."""
        return (2 / self.resolution) ** 2

    @property
    def epsilon(self) -> float:
        """A distance that is small against a pixel, film coordinates."""
        return 1e-3 * 2 / self.resolution

    def project(self, p: mi.Point3f) -> mi.Point2f:
        """Film coordinates of a point before the camera."""
        scale = -1 / (p.z * self.tan_half_fov)
        return mi.Point2f(p.x * scale, p.y * scale)

    def ray(self, q: mi.Point2f) -> mi.Ray3f:
        """The ray that leaves the camera through film coordinates ``q``."""
        t = self.tan_half_fov
        return mi.Ray3f(mi.Point3f(0), dr.normalize(mi.Vector3f(q.x * t, q.y * t, -1)))

    def area_per_solid_angle(self, d: mi.Vector3f) -> mi.Float:
        """Film area that a solid angle about the unit direction ``d`` covers."""
        t = self.tan_half_fov
        # q = -d_xy / (t d_z): dq = domega / (t^2 |d_z|^3), with d_z < 0.
        return dr.rcp(t * t * -d.z * d.z * d.z)

    def contains(self, q: mi.Point2f) -> mi.Bool:
        """Whether film coordinates lie on the film."""
        return (dr.abs(q.x) < 1) & (dr.abs(q.y) < 1)

    def samples(self, sampler: Sampler) -> mi.Point2f:
        """A place for each of the sampler's samples, pixel by pixel from the top left."""
        pixel = dr.arange(mi.UInt32, self.resolution**2 * sampler.spp) // sampler.spp
        row = pixel // self.resolution
        place = sampler.next_2d()
        return mi.Point2f(
            2 * (pixel - row * self.resolution + place.x) / self.resolution - 1,
            1 - 2 * (row + place.y) / self.resolution,
        )

    def gather(self, image: mi.Float, q: mi.Point2f) -> mi.Spectrum:
        """The value of ``image`` (H * W * channels,) in the pixel at film coordinates ``q``; zero off the film."""
        active = self.contains(q)
        half = 0.5 * self.resolution
        column, row = mi.UInt32((q.x + 1) * half), mi.UInt32((1 - q.y) * half)
        last = self.resolution - 1
        pixel = dr.minimum(row, last) * self.resolution + dr.minimum(column, last)
        channels = len(mi.Spectrum())
        return mi.Spectrum([dr.gather(mi.Float, image, pixel * channels + c, active) for c in range(channels)])
