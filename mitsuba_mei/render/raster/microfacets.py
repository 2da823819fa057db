"""Reflection at rough surfaces made of small mirrors: Mitsuba's microfacet distributions in plain torch."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["KNOTS", "Coat", "fresnel"]

KNOTS = 64
"""Cosines at which a rough coat's transmittance is known; Mitsuba's number."""

OUTSIDE, INSIDE = (16, 24), (32, 96)
"""Radii and angles of the half vectors over which a coat's reflectance is integrated, from outside and inside."""

MIN_COSINE = 1e-6
"""The least cosine that is divided by."""


def fresnel(cosine: Tensor, eta: Tensor) -> Tensor:
    """Reflectance of a smooth dielectric for unpolarised light.

    Parameters
    ----------
    cosine : Tensor
        Of the incident light, at least 0.
    eta : Tensor
        Index of refraction beyond over that before the boundary.
    """
    inverse = 1 / eta
    transmitted = _refracted(cosine, inverse)
    # Fresnel: r_p = (cos_i - cos_t / eta) / (cos_i + cos_t / eta), r_s = (cos_i / eta - cos_t) / (cos_i / eta + cos_t),
    # F = (r_p^2 + r_s^2) / 2.
    parallel = (cosine - inverse * transmitted) / (cosine + inverse * transmitted)
    across = (inverse * cosine - transmitted) / (inverse * cosine + transmitted)
    return 0.5 * (parallel * parallel + across * across)


def _refracted(cosine: Tensor, inverse: Tensor) -> Tensor:
    """Cosine beyond a boundary, nearly 0 where all is reflected."""
    # Snell: cos_t = sqrt(1 - (1 - cos_i^2) / eta^2).
    return (1 - inverse * inverse * (1 - cosine * cosine)).clamp_min(1e-12).sqrt()


@functools.cache
def _rings(kind: str, radii: int, angles: int) -> tuple[Tensor, Tensor, Tensor]:
    """Slopes of half vectors for roughness 1, and the weights of the mean over a microfacet distribution.

    The distribution of slopes is normal for Beckmann's: Gauss-Laguerre nodes of the squared radius. For GGX the share
    of slopes within a radius is spread evenly, by Gauss-Legendre nodes.
    """
    if kind == "beckmann":
        squared, weight = np.polynomial.laguerre.laggauss(radii)
    else:
        share, weight = np.polynomial.legendre.leggauss(radii)
        share, weight = 0.5 * (share + 1), 0.5 * weight
        squared = share / (1 - share)
    # Every other ring is turned by half a step.
    angle = 2 * np.pi * (np.arange(angles) + 0.5 * (np.arange(radii)[:, None] % 2) + 0.25) / angles
    slope = np.sqrt(squared)[:, None]
    parts = slope * np.cos(angle), slope * np.sin(angle), np.repeat(weight[:, None], angles, 1) / angles
    return tuple(torch.from_numpy(part.reshape(-1)).float() for part in parts)


class Coat:
    """Reflection by microfacets (Walter et al. 2007, "Microfacet Models for Refraction through Rough Surfaces"), with
    Smith's separable masking in Mitsuba's form.

    Parameters
    ----------
    kind : str
        ``beckmann`` or ``ggx``.
    alpha : Tensor
        Roughness, (M,).
    """

    def __init__(self, kind: str, alpha: Tensor) -> None:
        self.kind, self.alpha = kind, alpha

    def of(self, image: Tensor | None) -> Coat:
        """With a roughness for each point of some images."""
        return self if image is None or len(self.alpha) == 1 else Coat(self.kind, self.alpha[image])

    def masking(self, cosine: Tensor, alpha: Tensor) -> Tensor:
        """Smith masking G1 by the cosine to the normal."""
        square = (cosine * cosine).clamp(MIN_COSINE**2, 1)
        if self.kind == "ggx":
            # GGX, Walter et al. 2007, eq. 34: G1 = 2 / (1 + sqrt(1 + alpha^2 tan^2 theta)).
            return 2 / (1 + (1 + alpha * alpha * (1 - square) / square).sqrt())
        # Beckmann, Walter et al. 2007, section 5.2, a = 1 / (alpha tan theta):
        # G1 = (3.535 a + 2.181 a^2) / (1 + 2.276 a + 2.577 a^2), and 1 from a = 1.6 on.
        # Mitsuba's rational fit, which reaches 1 at 1.6.
        a = ((square / (1 - square).clamp_min(1e-7)).sqrt() / alpha).clamp_max(1.6)
        return a * (3.535 + 2.181 * a) / (1 + a * (2.276 + 2.577 * a))

    def density(self, cosine: Tensor, alpha: Tensor) -> Tensor:
        """Microfacet distribution D by the half vector's cosine to the normal."""
        square = (cosine * cosine).clamp(MIN_COSINE, 1)
        a2 = alpha * alpha
        if self.kind == "ggx":
            # GGX, Walter et al. 2007, eq. 33: D = alpha^2 / (pi cos^4 (alpha^2 + tan^2)^2)
            # = alpha^2 / (pi (cos^2 (alpha^2 - 1) + 1)^2).
            below = square * (a2 - 1) + 1
            return a2 / (math.pi * below * below)
        # Beckmann, Walter et al. 2007, eq. 25: D = exp(-tan^2 / alpha^2) / (pi alpha^2 cos^4).
        return torch.exp((square - 1) / (a2 * square)) / (math.pi * a2 * square * square)

    def value(self, viewer: Tensor, light: Tensor, between: Tensor) -> tuple[Tensor, Tensor]:
        """Microfacet BRDF times the light's cosine, without Fresnel's factor, and the cosine for that factor.

        Parameters
        ----------
        viewer, light : Tensor
            Cosines to the normal, (N, 1) and (N, M); viewer above 0.
        between : Tensor
            Cosine of viewer and light, (N, M).
        """
        alpha = self.alpha[:, None]
        # Half vector h = (v + l) / |v + l|: v.h = sqrt((1 + v.l) / 2), n.h = (n.v + n.l) / (2 v.h).
        half = (0.5 * (1 + between)).clamp_min(MIN_COSINE).sqrt()
        facet = ((viewer + light) / (2 * half)).clamp(max=1)
        light_cosine = light.clamp_min(MIN_COSINE)
        # Walter et al. 2007, eq. 20, times the light's cosine: D G1(v) G1(l) / (4 cos_v), without F.
        reflected = (
            self.density(facet, alpha) * self.masking(viewer, alpha) * self.masking(light_cosine, alpha) / (4 * viewer)
        )
        return torch.where(light > 0, reflected, 0.0), half

    def directions(self, viewer: tuple[Tensor, Tensor, Tensor], radii: int, angles: int):
        """Light directions whose weighted mean is the integral over what is reflected.

        Parameters
        ----------
        viewer : tuple of Tensor
            (N, 1) each: unit vectors to the viewer in the frame of the normal, z along it.
        radii, angles : int
            S = radii * angles half vectors are taken.

        Returns
        -------
        directions : tuple of Tensor
            (N, S) each, in the same frame.
        weight : Tensor
            (N, S), to be multiplied by Fresnel's share and radiance and added up; 0 below the surface.
        half : Tensor
            (N, S), cosines for Fresnel's share.
        """
        facets = self._facets(viewer, radii, angles)
        # l = 2 (v.h) h - v, with h = n.h (x, y, 1) for slopes (x, y).
        twice = 2 * facets.half * facets.cosine
        directions = twice * facets.x - viewer[0], twice * facets.y - viewer[1], twice - viewer[2]
        masked = facets.weight * self.masking(directions[2], self.alpha[:, None])
        return directions, torch.where(directions[2] > 0, masked, 0.0), facets.half.clamp(MIN_COSINE, 1)

    def reflectance(self, eta: Tensor) -> Tensor:
        """Directional albedo for light from one side, at :data:`KNOTS` cosines from 0 to 1: (M, KNOTS)."""

        def share(coat: Coat, facets: _Facets, cosine: Tensor) -> Tensor:
            light = 2 * facets.half * facets.cosine - cosine
            masked = coat.masking(light, coat.alpha[:, None]) * fresnel(facets.half.clamp(MIN_COSINE, 1), eta)
            return torch.where(light > 0, masked, 0.0)

        return self._shares(share, *INSIDE)

    def transmittance(self, eta: Tensor) -> Tensor:
        """Directional transmittance at the same cosines: (M, KNOTS)."""

        def share(coat: Coat, facets: _Facets, cosine: Tensor) -> Tensor:
            half, inverse = facets.half.clamp(MIN_COSINE, 1), 1 / eta
            light = facets.cosine * (inverse * half - _refracted(half, inverse)) - inverse * cosine
            masked = coat.masking(light, coat.alpha[:, None]) * (1 - fresnel(half, eta))
            return torch.where(light < 0, masked, 0.0)

        return self._shares(share, *OUTSIDE)

    def _shares(self, share: Callable[[Coat, _Facets, Tensor], Tensor], radii: int, angles: int) -> Tensor:
        """The mean of a share over visible facets, for even cosines from 0 to 1: (M, KNOTS)."""
        cosine = torch.linspace(0, 1, KNOTS, device=self.alpha.device).clamp_min(MIN_COSINE)[:, None]
        viewer = (1 - cosine * cosine).clamp_min(0).sqrt(), torch.zeros_like(cosine), cosine
        shares = []
        for alpha in self.alpha:
            coat = Coat(self.kind, alpha[None])
            facets = coat._facets(viewer, radii, angles)
            shares.append((facets.weight * share(coat, facets, cosine)).sum(1))
        return torch.stack(shares)

    def _facets(self, viewer: tuple[Tensor, Tensor, Tensor], radii: int, angles: int) -> _Facets:
        alpha = self.alpha[:, None]
        x, y, share = (part.to(alpha.device)[None] for part in _rings(self.kind, radii, angles))
        x, y = x * alpha, y * alpha
        cosine = (1 + x * x + y * y).rsqrt()
        half = (viewer[0] * x + viewer[1] * y + viewer[2]) * cosine
        # With h drawn by D (n.h): f cos_l / p_l = F G1(v) G1(l) (v.h) / (cos_v n.h) (Walter et al. 2007, eq. 41);
        # F and G1(l) follow where it is used.
        weight = share * (self.masking(viewer[2], alpha) / viewer[2]) * (half.clamp_min(0) / cosine)
        return _Facets(x, y, cosine, half, weight)


@dataclass(frozen=True)
class _Facets:
    """Facets of a rough surface: slopes, cosine to the mean normal and to the viewer, share of what the viewer sees."""

    x: Tensor
    y: Tensor
    cosine: Tensor
    half: Tensor
    weight: Tensor
