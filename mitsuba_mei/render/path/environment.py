"""Distant light as a table of radiance over equal solid angles: one sampler for every distant emitter.

The sphere is mapped to the unit square by the equal-area octahedral map of Clarberg, "Fast Equal-Area Mapping of the
(Hemi)Sphere using SIMD", JGT 2008. Every texel subtends the same solid angle, so that drawing a texel in proportion to
its radiance and a place in it uniformly samples the radiance exactly. Texels are kept in Morton order: evenly spread
numbers give evenly spread directions.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import drjit as dr
import mitsuba as mi
import torch

__all__ = ["EnvironmentTable", "TexelMeans", "sphere_to_square", "square_to_sphere", "texel_directions"]

POLAR = {4: 1.144, 12: 0.9655}
"""Weights of the texels nearest to either pole, the first four and those up to the twelfth: the map has a cusp there,
and a sum over texels' centres would give 5 % too little of a sun about the pole, in place of 0.7 % or less.
"""


def texel_directions(resolution: int) -> torch.Tensor:
    """The directions at the centres of the texels, (resolution**2, 3), in Morton order.

    Parameters
    ----------
    resolution : int
        Texels along an edge of the square; a power of two.
    """
    index = torch.arange(resolution**2)
    bits = range(resolution.bit_length())
    column = sum(((index >> (2 * b)) & 1) << b for b in bits)
    row = sum(((index >> (2 * b + 1)) & 1) << b for b in bits)
    u, v = ((2 * (x.double() + 0.5) / resolution - 1) for x in (column, row))
    distance = 1 - u.abs() - v.abs()
    radius = 1 - distance.abs()
    phi = torch.where(radius == 0, torch.ones_like(u), (v.abs() - u.abs()) / radius.clamp_min(1e-12) + 1) * math.pi / 4
    z = torch.copysign(1 - radius**2, distance)
    planar = radius * torch.sqrt((2 - radius**2).clamp_min(0))
    directions = torch.stack(
        [torch.copysign(planar * torch.cos(phi), u), torch.copysign(planar * torch.sin(phi), v), z], dim=-1
    )
    return directions.reshape(-1, 3).float()


class TexelMeans:
    """Means over the texels, of functions of direction that are smooth over a texel.

    Parameters
    ----------
    resolution : int
        Texels along an edge of the square; a power of two.
    device : torch.device
        Of the function's tensors.
    """

    def __init__(self, resolution: int, device: torch.device) -> None:
        self.directions = texel_directions(resolution).to(device)
        self.weights = torch.ones(resolution**2, 1, device=device)
        from_pole = torch.argsort(-self.directions[:, 2].abs(), stable=True)
        first = 0
        for last, weight in POLAR.items():
            self.weights[from_pole[2 * first : 2 * last]] = weight
            first = last

    def __call__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """From ``function`` of unit vectors (N, 3), of values (N, C), the means (resolution**2, C)."""
        return function(self.directions) * self.weights


def square_to_sphere(uv: mi.Point2f) -> mi.Vector3f:
    """The unit vector at ``uv`` in the unit square."""
    u, v = 2 * uv.x - 1, 2 * uv.y - 1
    # Clarberg 2008: r = 1 - |1 - |u| - |v||, phi = (pi / 4) ((|v| - |u|) / r + 1), |z| = 1 - r^2,
    # (|x|, |y|) = r sqrt(2 - r^2) (cos phi, sin phi); the signs are those of u, v and 1 - |u| - |v|.
    distance = 1 - (dr.abs(u) + dr.abs(v))
    radius = 1 - dr.abs(distance)
    phi = dr.select(radius == 0, 1, (dr.abs(v) - dr.abs(u)) / radius + 1) * (dr.pi / 4)
    sin_phi, cos_phi = dr.sincos(phi)
    planar = radius * dr.safe_sqrt(2 - radius * radius)
    return mi.Vector3f(
        dr.copysign(planar * cos_phi, u), dr.copysign(planar * sin_phi, v), dr.copysign(1 - radius * radius, distance)
    )


def sphere_to_square(d: mi.Vector3f) -> mi.Point2f:
    """The place in the unit square of the unit vector ``d``; inverse of :func:`square_to_sphere`."""
    x, y, z = dr.abs(d.x), dr.abs(d.y), dr.abs(d.z)
    # Its inverse: r = sqrt(1 - |z|), v = (2 phi / pi) r, u = r - v; below the equator (u, v) becomes (1 - v, 1 - u).
    radius = dr.safe_sqrt(1 - z)
    phi = dr.select((x == 0) & (y == 0), 0, dr.atan2(y, x)) * (2 / dr.pi)
    v = phi * radius
    u = radius - v
    south = d.z < 0
    u, v = dr.select(south, 1 - v, u), dr.select(south, 1 - u, v)
    return mi.Point2f(0.5 * (dr.copysign(u, d.x) + 1), 0.5 * (dr.copysign(v, d.y) + 1))


class EnvironmentTable:
    """Radiance of the distant light, constant over each texel of the equal-area map.

    Parameters
    ----------
    radiance : mi.Float
        ``resolution**2 * channels`` values in the order of :func:`texel_directions`, channels fastest; may be attached.
    resolution : int
        Texels along an edge of the square; a power of two.
    """

    def __init__(self, radiance: mi.Float, resolution: int) -> None:
        self.radiance = radiance
        self.resolution = resolution
        self.texel = 4 * math.pi / resolution**2
        with dr.suspend_grad():
            channels = len(mi.Spectrum())
            index = dr.arange(mi.UInt32, resolution**2)
            weight = sum(dr.gather(mi.Float, dr.detach(radiance), index * channels + c) for c in range(channels))
            # A texel that is dark now must stay reachable where its radiance is free, and a dark sky must have a
            # density.
            self.distribution = mi.DiscreteDistribution(dr.maximum(weight, 0) + dr.mean(weight) * 1e-3 + 1e-20)

    def eval(self, d: mi.Vector3f, active: mi.Bool = True) -> mi.Spectrum:
        """Radiance arriving from direction ``d``."""
        return self._gather(self._texel_of(d), active)

    def pdf(self, d: mi.Vector3f, active: mi.Bool = True) -> mi.Float:
        """Density of :meth:`sample` for direction ``d``, per steradian."""
        # p(d) = pmf / omega, with omega = 4 pi / resolution^2 for every texel.
        return self.distribution.eval_pmf_normalized(self._texel_of(d), active) * (1 / self.texel)

    def sample(self, sample: mi.Point2f, active: mi.Bool = True) -> tuple[mi.Vector3f, mi.Float, mi.Spectrum]:
        """A direction in proportion to radiance, its density per steradian, and the (attached) radiance from there."""
        index, reused, pmf = self.distribution.sample_reuse_pmf(sample.x, active)
        uv = mi.Point2f(_even_bits(index) + reused, _even_bits(index >> 1) + sample.y) * (1 / self.resolution)
        return square_to_sphere(uv), pmf * (1 / self.texel), self._gather(index, active)

    def _texel_of(self, d: mi.Vector3f) -> mi.UInt32:
        uv = sphere_to_square(d) * self.resolution
        last = self.resolution - 1
        return _spread_bits(dr.minimum(mi.UInt32(uv.x), last)) | (_spread_bits(dr.minimum(mi.UInt32(uv.y), last)) << 1)

    def _gather(self, index: mi.UInt32, active: mi.Bool) -> mi.Spectrum:
        channels = len(mi.Spectrum())
        return mi.Spectrum([dr.gather(mi.Float, self.radiance, index * channels + c, active) for c in range(channels)])


def _spread_bits(x: mi.UInt32) -> mi.UInt32:
    """The lower 16 bits of ``x`` at the even places."""
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        x = (x | (x << shift)) & mask
    return x


def _even_bits(x: mi.UInt32) -> mi.UInt32:
    """The bits of ``x`` at the even places, side by side; inverse of :func:`_spread_bits`."""
    x = x & 0x55555555
    for shift, mask in ((1, 0x33333333), (2, 0x0F0F0F0F), (4, 0x00FF00FF), (8, 0x0000FFFF)):
        x = (x | (x >> shift)) & mask
    return x
