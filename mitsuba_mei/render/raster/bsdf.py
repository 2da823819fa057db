"""Materials as functions of three cosines, in plain torch: the BSDFs of :mod:`~mitsuba_mei.render.path.bsdf` again.

An isotropic BSDF depends on the cosines of viewer and light to the normal, and of one to the other. All are written as
``white + colour * tint`` with scalar ``white`` and ``tint``: a highlight that keeps the light's colour, and what the
material colours. Each includes the cosine of the light.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...errors import UserError, nearest
from ...scene.state import MaterialState
from .microfacets import KNOTS, Coat, fresnel

__all__ = ["BSDFS", "Material", "interpolate", "material_of", "polynomial"]

AIR = 1.000277
"""Mitsuba's index of refraction of air."""


def schlick(cosine: Tensor) -> Tensor:
    """``(1 - cosine)^5``."""
    # The weight in Schlick's approximation (1994), F = F_0 + (1 - F_0) (1 - cos)^5.
    rest = (1 - cosine).clamp(0, 1)
    square = rest * rest
    return square * square * rest


def interpolate(values: Tensor, cosine: Tensor, image: Tensor | None = None) -> Tensor:
    """A function of a cosine in [0, 1], linear between evenly spaced values.

    Parameters
    ----------
    values : Tensor
        (B, J).
    cosine : Tensor
        (...).
    image : Tensor, optional
        Of shape (...), which row each takes; the first without.
    """
    last = values.shape[1] - 1
    at = cosine.clamp(0, 1) * last
    index = at.detach().long().clamp_(max=last - 1)
    part = at - index
    if image is not None and len(values) > 1:
        index = index + image * values.shape[1]
    flat = values.reshape(-1)
    return flat[index] * (1 - part) + flat[index + 1] * part


class Material(ABC):
    """The materials of M images, all of one kind.

    The base reflects ``sum_k (a_k c + b_k c p(c)) b^k`` for a light at cosine c to the normal and b to the viewer.

    Parameters
    ----------
    values : dict of str to Tensor
        As those of :class:`~mitsuba_mei.scene.state.MaterialState`, with a first axis of M.
    constants : mapping of str to float
        As those of the state.

    Attributes
    ----------
    colour : Tensor
        (M, C), the factor on ``tint``.
    coat : Coat or None
        What it reflects at its surface.
    profile : Tensor or None
        p, (M, J), at even cosines from 0 to 1 (:func:`interpolate`).
    """

    coat: Coat | None = None
    profile: Tensor | None = None

    def __init__(self, values: dict[str, Tensor], constants: Mapping[str, float]) -> None:
        self.colour = values["reflectance"]

    @abstractmethod
    def coefficients(self, viewer: Tensor, image: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        """a and b for the viewer's cosines (N,), of images (N,)."""

    def shares(self, half: Tensor, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """White and tinted shares of the coat's reflection, for cosines (N, S); None for zero."""
        raise NotImplementedError

    def evaluate(
        self, viewer: Tensor, light: Tensor, between: Tensor, image: Tensor | None
    ) -> tuple[Tensor | None, Tensor]:
        """White and tint of the BSDF times the light's cosine.

        Parameters
        ----------
        viewer : Tensor
            (N,), above 0.
        light, between : Tensor
            (N, L): cosines of lights to the normal and to the viewer.
        image : Tensor or None
            (N,).
        """
        a, b = ([value[:, None] for value in values] for values in self.coefficients(viewer, image))
        cosine = light.clamp_min(0)
        tint = cosine * polynomial(a, between)
        if b:
            wide = None if image is None else image[:, None]
            tint = tint + cosine * interpolate(self.profile, cosine, wide) * polynomial(b, between)
        if self.coat is None:
            return None, tint
        value, half = self.coat.of(image).value(viewer[:, None], light, between)
        white, coloured = self.shares(half, image)
        return value * white, tint if coloured is None else tint + value * coloured


def polynomial(coefficients: Sequence[Tensor], x: Tensor) -> Tensor:
    """``sum_k coefficients[k] * x**k``."""
    *rest, total = coefficients
    for value in reversed(rest):
        total = value + x * total
    return total


def _of(values: Tensor, image: Tensor | None) -> Tensor:
    """Scalars (M,) for points of some images, (N,) or (1,)."""
    return values if image is None or len(values) == 1 else values[image]


class Diffuse(Material):
    """Lambert's."""

    def coefficients(self, viewer: Tensor, image: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        return [torch.full_like(viewer, 1 / math.pi)], []


class Plastic(Material):
    """Mitsuba's ``roughplastic``, nonlinear: a diffuse base that loses what the coat reflects on either way."""

    def __init__(self, values: dict[str, Tensor], constants: Mapping[str, float]) -> None:
        super().__init__(values, constants)
        ior = constants["ior"]
        self.coat = Coat("beckmann", values["roughness"].reshape(-1))
        self._eta = self.colour.new_tensor(ior / AIR)
        transmitted = self.coat.transmittance(self._eta)
        self._transmitted = transmitted
        self._head_on = transmitted[:, -1]
        self.profile = transmitted - transmitted[:, -1:]
        reflected = _reflected_inside(ior, self.coat.alpha)
        # Interreflections below the coat: sum_k (rho R_i)^k = 1 / (1 - rho R_i).
        self.colour = self.colour / (1 - self.colour * reflected[:, None])

    def coefficients(self, viewer: Tensor, image: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        viewer_term = interpolate(self._transmitted, viewer, image) / (math.pi * self._eta**2)
        return [viewer_term * _of(self._head_on, image)], [viewer_term]

    def shares(self, half: Tensor, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return fresnel(half, self._eta), None


def _reflected_inside(ior: float, alpha: Tensor) -> Tensor:
    """What of diffuse light from below a coat is sent back, for roughnesses (M,).

    Beyond the critical angle all is, so that a sum over half vectors, which move with the roughness, has a derivative
    that jumps. A curve through values far apart (Catmull & Rom 1974) has the right one.
    """
    values = _inside(ior).to(alpha)
    low, step = math.log(ROUGHNESSES[0]), math.log(ROUGHNESSES[1] / ROUGHNESSES[0])
    at = ((alpha.clamp(ROUGHNESSES[0], 1).log() - low) / step).clamp(max=len(values) - 1 - 1e-4)
    index = at.detach().long()
    t = at - index
    a, b, c, d = (values[(index + k).clamp(0, len(values) - 1)] for k in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


ROUGHNESSES = tuple(10 ** (-2 + k / 12) for k in range(25))
"""At which it is known, from 0.01 to 1."""


@functools.lru_cache(maxsize=8)
def _inside(ior: float) -> Tensor:
    with torch.no_grad():
        each = torch.cat(
            [Coat("beckmann", torch.tensor([a])).reflectance(torch.tensor(AIR / ior)) for a in ROUGHNESSES]
        )
        # As Mitsuba takes the mean over all directions.
        return 2 * (each * torch.linspace(0, 1, KNOTS)).mean(1)


class Principled(Material):
    """Mitsuba's ``principled`` with base colour, roughness, metallic and specular alone (Burley 2012)."""

    def __init__(self, values: dict[str, Tensor], constants: Mapping[str, float]) -> None:
        super().__init__(values, constants)
        self._roughness, self._metallic, specular = (
            values[name].reshape(-1) for name in ("roughness", "metallic", "specular")
        )
        self.coat = Coat("ggx", self._roughness.square().clamp_min(1e-3))
        # F_0 = 0.08 specular (Burley 2012), and eta = 2 / (1 - sqrt(F_0)) - 1 = (1 + sqrt(F_0)) / (1 - sqrt(F_0)).
        self._eta = 2 / (1 - (0.08 * specular.clamp_min(1e-3)).sqrt()) - 1
        grid = torch.linspace(0, 1, 4 * KNOTS, device=self.colour.device)
        self.profile = schlick(grid).expand(len(self._roughness), -1)

    def coefficients(self, viewer: Tensor, image: Tensor | None) -> tuple[list[Tensor], list[Tensor]]:
        # Burley 2012, section 5.3, in the form of Burley 2015: (1 - F_v / 2) (1 - F_l / 2) + R (F_l + F_v + F_l F_v (R
        # - 1)), F = (1 - cos)^5, R = 2 roughness cos_d^2 = roughness (1 + v.l). Here in powers of v.l, and F_l is the
        # profile.
        share = (1 - _of(self._metallic, image)) / math.pi
        rough = _of(self._roughness, image)
        viewer_term = schlick(viewer)
        facing = 1 - 0.5 * viewer_term
        retro = rough * (1 - viewer_term)
        square = rough * rough * viewer_term
        a = [facing + rough * viewer_term, rough * viewer_term]
        b = [retro + square - 0.5 * facing, retro + 2 * square, square]
        return [share * value for value in a], [share * value for value in b]

    def shares(self, half: Tensor, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        metallic, eta = _of(self._metallic, image)[:, None], _of(self._eta, image)[:, None]
        grazing = schlick(half)
        return (1 - metallic) * fresnel(half, eta) + metallic * grazing, metallic * (1 - grazing)


BSDFS = {"diffuse": Diffuse, "plastic": Plastic, "principled": Principled}
"""Every material by its ``type`` in the scene file."""


def material_of(materials: Sequence[MaterialState]) -> Material:
    """The materials of some images.

    Raises
    ------
    UserError
        For a kind that is not known here.
    ValueError
        Where their kinds or constants differ.
    """
    first = materials[0]
    if first.kind not in BSDFS:
        raise UserError(
            f"material: the rasterizer has no '{first.kind}'; {nearest(first.kind, BSDFS)}; or use render.type=path"
        )
    if any((other.kind, other.constants) != (first.kind, first.constants) for other in materials):
        raise ValueError("all scenes of a batch must be of one kind of material")
    values = {name: torch.stack([material.values[name] for material in materials]) for name in first.values}
    return BSDFS[first.kind](values, first.constants)
