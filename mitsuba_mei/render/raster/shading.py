"""Shading by unshadowed light: no cast shadows, no interreflection.

It is what the path tracer computes at depth 2 on a convex object, by quadrature in place of samples. Distant light is
integrated by tables and closed forms (:mod:`~mitsuba_mei.render.raster.distant_light`), rectangles by Gauss's rule
(:mod:`~mitsuba_mei.render.raster.lights`). A glossy coat takes whichever is narrower as the quadrature's points:
directions that it reflects to the viewer (filtered importance sampling, Krivanek & Colbert 2008), or directions of the
light.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ...errors import UserError, nearest
from ...scene.state import SceneState
from .bsdf import Material, interpolate, material_of, polynomial
from .cubemap import look_up
from .distant_light import BROAD, Moments, Sky, lobe_moments, lobe_points, powers
from .lights import LIGHTS, Vector, rays

__all__ = ["Illumination", "Memo"]

SMOOTH, DETAILED = (5, 12), (8, 20)
"""Half vectors by slope and by azimuth over which a coat's reflection of distant light is summed."""

BLUR = 0.55
"""Radians per roughness over which detailed light is averaged before it is reflected."""

NARROW = {"beckmann": 0.6, "ggx": 2.0}
"""A lobe is narrow where its width is below this multiple of the coat's roughness: GGX has a sharp peak."""

LOBE = {"beckmann": (3, 7), "ggx": (4, 9)}
"""Radii and angles of the directions that stand for a narrow lobe."""

BATCH_SIZE = 2**15
"""Points whose coats are summed at once; more are computed again in the backward pass, to bound memory."""


class Memo:
    """The last result of each function, given again while the tensors that it depends on are the same and need no
    gradient.
    """

    def __init__(self) -> None:
        self._last: dict[str, tuple[tuple[Tensor, ...], Any]] = {}

    def __call__(self, name: str, function: Callable[[], Any], *given: Tensor) -> Any:
        if torch.is_grad_enabled() and any(t.requires_grad for t in given):
            return function()
        known, result = self._last.get(name, ((), None))
        if len(known) == len(given) and all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(known, given)):
            return result
        with torch.no_grad():
            result = function()
        self._last[name] = tuple(t.detach().clone() for t in given), result
        return result


class Illumination:
    """The light of some scenes, on one kind of material.

    Parameters
    ----------
    states : sequence of SceneState
        B scenes with the same kinds of lights and material.
    remembered : Memo
        Of the renderer: what does not change from render to render.

    Raises
    ------
    UserError
        For a kind of light or material that is not known here.
    """

    def __init__(self, states: Sequence[SceneState], remembered: Memo) -> None:
        for light in states[0].lights:
            if light.kind not in LIGHTS:
                raise UserError(
                    f"lighting: the rasterizer has no '{light.kind}'; {nearest(light.kind, LIGHTS)}; or use "
                    "render.type=path"
                )
        if len({tuple(lobe.sharpness for lobe in state.lobes) for state in states}) > 1:
            raise ValueError("the suns of a batch's scenes must be equally sharp")
        self.states = states
        materials = [state.material for state in states]
        given = [value for material in materials for value in material.values.values()]
        self.material: Material = remembered("material", lambda: material_of(materials), *given)
        coat, profile = self.material.coat, self.material.profile
        self.finest = 0.5 if coat is None else coat.alpha.detach().min().item()
        self.lobes = [parts for parts in zip(*(state.lobes for state in states)) if parts[0].sharpness >= BROAD]
        self.sky = Sky(states)
        self.moments: Moments | None = None
        self.radiance: Tensor | None = None
        if self.sky:
            self._see(remembered)
        self.received = [lobe_moments(lobe.sharpness, profile, self.sky.device) for lobe, *_ in self.lobes]

    def _see(self, remembered: Memo) -> None:
        """Tabulate the smooth distant light."""
        material, sky = self.material, self.sky
        a, b = material.coefficients(material.colour.new_ones(len(material.colour)), None)
        degrees = 1 if len(a) > 1 else 0, len(b) - 1
        light = sky.light()
        profile = () if material.profile is None else (material.profile,)
        self.moments = remembered("moments", lambda: sky.moments(light, *degrees, material.profile), *light, *profile)
        if material.coat is not None:
            self.radiance = sky.blurred(BLUR * self.finest)

    def reflected(self, position: Vector, normal: Vector, viewer: Vector, image: Tensor | None) -> Tensor:
        """Radiance towards the viewer.

        Parameters
        ----------
        position, normal, viewer : tuple of Tensor
            (N,) each: places, unit normals and unit vectors to the viewer, above whose horizon the latter are.
        image : Tensor or None
            (N,), the scene of each; None where there is one.

        Returns
        -------
        Tensor
            (N, C).
        """
        count = len(position[0])
        if not count:
            return position[0].new_zeros(0, self.sky.channels)
        if self.material.coat is None or count <= BATCH_SIZE:
            return self._reflected(image, *position, *normal, *viewer).T
        given = *position, *normal, *viewer
        parts = []
        for start in range(0, count, BATCH_SIZE):
            part = slice(start, start + BATCH_SIZE)
            some = None if image is None else image[part]
            parts.append(checkpoint(self._reflected, some, *(t[part] for t in given), use_reentrant=False))
        return torch.cat(parts, dim=1).T

    def _reflected(self, image: Tensor | None, *coordinates: Tensor) -> Tensor:
        """(C, N)."""
        position, normal, viewer = coordinates[:3], coordinates[3:6], coordinates[6:]
        facing = _dot(normal, viewer)
        white, tint = self._from_afar(normal, viewer, facing, image)
        spread = [part[:, None] for part in normal], [part[:, None] for part in viewer]
        for lights in zip(*(state.lights for state in self.states)):
            (x, y, z), arriving = rays(lights, position, lambda values: self._take(values, image), self.finest)
            cosine, between = (_dot(vector, (x, y, z)) for vector in spread)
            shiny, matt = self.material.evaluate(facing, cosine, between, image)
            power = self._take(torch.stack([light.values[LIGHTS[light.kind].power] for light in lights]), image)
            # L_o = sum_l f cos_l * E_l, without visibility.
            tint = tint + power * (matt * arriving).sum(1)
            if shiny is not None:
                white = white + power * (shiny * arriving).sum(1)
        return white + self._take(self.material.colour, image) * tint

    def _take(self, values: Tensor, image: Tensor | None) -> Tensor:
        """Gather the scenes' values (B, K) for points: (K, N) or (K, 1)."""
        return values.T if len(values) == 1 or image is None else values[image].T

    def _from_afar(self, normal: Vector, viewer: Vector, facing: Tensor, image: Tensor | None) -> tuple[Tensor, Tensor]:
        """White and tint of the distant light, (C, N)."""
        material, channels = self.material, self.material.colour.shape[1]
        a, b = material.coefficients(facing, image)
        tint = facing.new_zeros(channels, len(facing))
        white = torch.zeros_like(tint)
        if self.moments is not None:
            for factors, table in ((a, self.moments.plain), (b, self.moments.profiled)):
                if factors:
                    moments = powers(look_up(table, normal, image), viewer, len(factors) - 1, channels)
                    tint = tint + sum(factor * each for factor, each in zip(factors, moments))
        for lobes, (plain, profiled) in zip(self.lobes, self.received):
            axis = self._take(torch.stack([lobe.axis for lobe in lobes]), image)
            peak = self._take(torch.stack([lobe.peak for lobe in lobes]), image)
            cosine, between = _dot(normal, axis), _dot(viewer, axis)
            half = 0.5 * (1 + cosine)
            received = interpolate(plain, half) * polynomial(a, between)
            if b:
                received = received + interpolate(profiled, half, image) * polynomial(b, between)
            tint = tint + peak * received
        if material.coat is not None:
            shiny, coloured = self._from_coat(normal, viewer, facing, image)
            white = white + shiny
            tint = tint if coloured is None else tint + coloured
        return white, tint

    def _from_coat(self, normal: Vector, viewer: Vector, facing: Tensor, image: Tensor | None):
        """White and tint of the distant light that the coat reflects, (C, N)."""
        coat = self.material.coat.of(image)
        narrow = [lobes[0].sharpness * (NARROW[coat.kind] * self.finest) ** 2 > 1 for lobes in self.lobes]
        white, tint = [], []

        def add(reflected: Tensor, half: Tensor, radiance: Tensor) -> None:
            shares = self.material.shares(half, image)
            for share, parts in zip(shares, (white, tint)):
                if share is not None:
                    parts.append((reflected * share * radiance).sum(-1))

        for lobes, points in zip(self.lobes, narrow):
            if points:
                places, solid = zip(*(lobe_points(lobe, *LOBE[coat.kind]) for lobe in lobes))
                x, y, z = (self._take(torch.stack(part), image).T for part in zip(*(p.unbind(1) for p in places)))
                cosine = _dot([part[:, None] for part in normal], (x, y, z))
                between = _dot([part[:, None] for part in viewer], (x, y, z))
                value, half = coat.value(facing[:, None], cosine, between)
                peak = self._take(torch.stack([lobe.peak for lobe in lobes]), image)
                add(value * solid[0], half, peak[..., None])
        wide = [lobes for lobes, points in zip(self.lobes, narrow) if not points]
        if wide or self.radiance is not None:
            frame = _frame(normal)
            across = [_dot(axis, viewer)[:, None] for axis in frame]
            directions, weight, half = coat.directions(
                (*across, facing[:, None]), *(SMOOTH if self.sky.smooth else DETAILED)
            )
            x, y, z = (
                sum(part[:, None] * along for part, along in zip(parts, directions)) for parts in zip(*frame, normal)
            )
            radiance = 0.0
            if self.radiance is not None:
                inside = None if image is None else image[:, None].expand_as(x)
                radiance = look_up(self.radiance, (x, y, z), inside)
            for lobes in wide:
                axis = self._take(torch.stack([lobe.axis for lobe in lobes]), image)
                peak = self._take(torch.stack([lobe.peak for lobe in lobes]), image)
                ahead = _dot([part[:, None] for part in axis], (x, y, z))
                # Spherical Gaussian: L(d) = peak exp(sharpness (axis.d - 1)).
                radiance = radiance + peak[..., None] * torch.exp(lobes[0].sharpness * (ahead - 1))
            add(weight, half, radiance)
        return sum(white) if white else 0.0, sum(tint) if tint else None


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _frame(normal: Vector) -> tuple[Vector, Vector]:
    """Two unit vectors across each normal (Duff et al. 2017, "Building an Orthonormal Basis, Revisited").

    What the camera sees faces +z more or less, so that one of their two cases is enough.
    """
    x, y, z = normal
    inverse = 1 / (1 + z).clamp_min(1e-4)
    both = -x * y * inverse
    return (1 - x * x * inverse, both, -x), (both, 1 - y * y * inverse, -y)
