"""An analytic model of area V4: units tuned to the curvature, orientation and position of a contour fragment.

Conventions: lengths in half image widths, x to the right and y up from the receptive field's centre, angles in
degrees counter-clockwise from the right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config.card import CURVATURES, CurvatureCard
from ..errors import UserError
from ..stimulus import image_coordinates
from .formats import CardContext

__all__ = ["CurvatureV4", "contour_template"]

FREQUENCIES = (3.0, 6.0)
ORIENTATIONS = 8
SUBUNITS = 9
LARGEST_TURN = 70.0  # degrees of tangent between the apex and a straight arm
MARGIN = 0.25  # the image is continued by that much, half widths
SEMISATURATION = 0.1  # amplitude, standardised units, at which the normalisation takes hold
NEIGHBOURHOOD = 0.2  # width of the normalisation pool, half widths
MIN_RESPONSE = 0.05  # normalised amplitude of an empty place, keeps every gradient alive
GAIN = 2.0  # gives about 0.7 for a filled shape with the preferred contour at norm 25


def contour_template(curvature: float, position: float, eccentricity: float, length: float) -> tuple[Tensor, Tensor]:
    """The contour fragment that a unit prefers, as points and tangents.

    Its apex lies at ``eccentricity`` in direction ``position``, where it runs at right angles to that direction. From
    there it bends with the given curvature, until its tangent has turned by 70 degrees, and then goes straight.

    Parameters
    ----------
    curvature : float
        1 / half width. Positive is convex (it bends about the receptive field's centre), negative concave.
    position : float
        Degrees: 0 right, 90 top.
    eccentricity, length : float
        Half widths.

    Returns
    -------
    points : Tensor ``(9, 2)``
        The middles of 9 equal parts.
    tangents : Tensor ``(9,)``
        Direction of the contour, radians.
    """
    s = (torch.arange(SUBUNITS, dtype=torch.float64) - (SUBUNITS - 1) / 2) * length / SUBUNITS
    limit = math.radians(LARGEST_TURN)
    end = limit / abs(curvature) if curvature else math.inf
    arc = s.clamp(-end, end)  # length along the arc, and along its straight arm
    arm = s - arc
    angle = curvature * arc
    across = arc * torch.sinc(angle / math.pi) + arm * math.cos(limit)
    inward = curvature / 2 * (arc * torch.sinc(angle / (2 * math.pi))) ** 2
    inward = inward + math.copysign(math.sin(limit), curvature) * arm.abs()
    phi = math.radians(position)
    radial = eccentricity - inward
    points = torch.stack(
        [radial * math.cos(phi) - across * math.sin(phi), radial * math.sin(phi) + across * math.cos(phi)], dim=1
    )
    return points, angle + phi + math.pi / 2


class CurvatureV4(nn.Module):
    r"""Contour units of V4 on a hierarchy of Gabor energy, soft maximum and conjunction.

    1. **Energy** (V1 complex cells; Adelson & Bergen 1985): ``E_{f,o} = |z * (analytic Gabor)|`` at frequencies f and 8
       orientations o, computed in the Fourier domain. A grating of amplitude a at the filter's peak gives ``E = a``.
    2. **Divisive normalisation** (Heeger 1992, Vis Neurosci 9:181): ``e^2 = E^2 / (k^2 + sum E^2)``, the sum
       over f, o and a neighbourhood.
    3. **Soft maximum** over frequency and place, the C1 stage of Cadieu et al. (2007, J Neurophysiol 98:1733) with a
       power mean in place of the maximum: subunit j, at a point of the contour and tuned to its tangent there, gives
       ``x_j = (sum_{f,o,p} W_j(p) T_j(o) (e^2 + floor^2)^2)^{1/4}``; W is a gaussian of the place p, T a von Mises
       function of the orientation o, both of sum 1.
    4. **Conjunction** of 9 subunits along an arc: ``r = 2 ((prod_j x_j)^{1/9} - floor)``. It takes the place of Cadieu
       et al.'s S2 units, which combine C1 units of several places and orientations; the geometric mean asks for all
       of them, and has a gradient everywhere.

    The arcs tile contour curvature and angular position, the two dimensions of V4's tuning in Pasupathy & Connor
    (2001, J Neurophysiol 86:2505). A response is 0 for a uniform image and at most about 1, and the same whichever
    side of the contour is brighter.

    Parameters
    ----------
    image_size : (h, w)
        Pixels.
    curvatures : sequence of float
        1 / half image width: negative concave, positive convex (see :func:`contour_template`).
    positions : int
        How many angular positions, from 0 degrees (right) counter-clockwise.
    eccentricity : float
        Distance of a contour's apex from the receptive field's centre, half widths.
    length : float
        Length of the contour fragment, half widths.
    tolerance : float
        Standard deviation of a subunit's place, half widths.

    Attributes
    ----------
    tuning : list of (curvature, position)
        Neuron ``i`` has ``curvatures[i // positions]``, at ``360 / positions * (i % positions)`` degrees.

    Raises
    ------
    UserError
        A value outside its range, a contour that leaves the image, or an image too small for the filters.
    """

    @classmethod
    def from_card(cls, card: CurvatureCard, context: CardContext) -> CurvatureV4:
        """The units that a card describes."""
        return cls(context.image_size, **dict(card.parameters))

    def __init__(
        self,
        image_size: tuple[int, int],
        curvatures: Sequence[float] = CURVATURES,
        positions: int = 8,
        eccentricity: float = 0.5,
        length: float = 0.8,
        tolerance: float = 0.07,
    ) -> None:
        super().__init__()
        self._check(image_size, curvatures, positions, eccentricity, length, tolerance)
        self.image_size = tuple(image_size)
        h, w = self.image_size
        self._pad = max(1, round(MARGIN * w / 2))
        padded = (h + 2 * self._pad, w + 2 * self._pad)
        # The coarsest grid on which the finest filter, 3 standard deviations of its band wide, is not aliased.
        band = max(FREQUENCIES) * (1 + 3 / math.pi) * 2 / w
        grid = tuple(min(n, 4 * math.ceil(band * n / 2)) for n in padded)
        down, right = (torch.fft.fftfreq(m, 1 / m).round().long() for m in grid)
        self.register_buffer("_rows", down % padded[0], persistent=False)
        self.register_buffer("_columns", right % padded[1], persistent=False)
        # cycles per half width; y is up, rows go down
        fy, fx = torch.meshgrid(-down.double() * w / 2 / padded[0], right.double() * w / 2 / padded[1], indexing="ij")
        self._amplitude = 2 * grid[0] * grid[1] / (padded[0] * padded[1])
        self.register_buffer("_filters", _analytic_gabors(fx, fy).float(), persistent=False)
        self._pool = 2 * round(NEIGHBOURHOOD * grid[1] / padded[1] * w / 4) + 1

        x, y = image_coordinates((h, w), torch.float64)
        columns = x[0, 0] + (torch.arange(grid[1]) * padded[1] / grid[1] - self._pad) * 2 / w
        rows = y[0, 0] - (torch.arange(grid[0]) * padded[0] / grid[0] - self._pad) * 2 / w
        self.tuning = [(float(c), 360 / positions * i) for c in curvatures for i in range(positions)]
        fragments = [contour_template(c, position, eccentricity, length) for c, position in self.tuning]
        points = torch.stack([p for p, _ in fragments])
        inside = (points.abs() < torch.tensor([1.0, h / w])).flatten(1).all(1)
        if not inside.all():
            c, position = self.tuning[int(inside.int().argmin())]
            raise UserError(
                f"the contour of curvature {c:g} at {position:g} degrees leaves the image; "
                f"lower eccentricity ({eccentricity:g}) or length ({length:g})"
            )
        tangents = torch.stack([t for _, t in fragments])
        self.register_buffer("_blur_rows", _blur(rows, tolerance), persistent=False)
        self.register_buffer("_blur_columns", _blur(columns, tolerance), persistent=False)
        # grid_sample's coordinates: -1 and 1 are the centres of the first and the last column or row
        places = torch.stack([_between(points[..., 0], columns), _between(points[..., 1], rows)], dim=-1)
        self.register_buffer("_places", places.float()[None], persistent=False)
        self.register_buffer("_tuning", _orientation_tuning(tangents).float(), persistent=False)

    @staticmethod
    def _check(image_size, curvatures, positions, eccentricity, length, tolerance) -> None:
        h, w = image_size
        if len(curvatures) == 0 or not all(math.isfinite(c) for c in curvatures):
            raise UserError(f"curvatures is {list(curvatures)}; it must hold one finite number or more")
        if positions < 1:
            raise UserError(f"positions is {positions}; it must be at least 1")
        for name, value in (("length", length), ("tolerance", tolerance)):
            if not 0 < value <= 2:
                raise UserError(f"{name} is {value}; it must lie in (0, 2], in half image widths")
        if not 0 <= eccentricity < 1:
            raise UserError(f"eccentricity is {eccentricity}; it must lie in [0, 1), in half image widths")
        smallest = math.ceil(max(FREQUENCIES) * (1 + 3 / math.pi) * 4)
        if w < smallest or h < smallest // 2:
            raise UserError(
                f"an image of {w} x {h} pixels is too small for this model's filters; at least "
                f"{smallest} x {smallest // 2} pixels"
            )

    def energy(self, image: Tensor) -> Tensor:
        """Squared Gabor energy ``(B, 16, rows, columns)`` of images ``(B, 1, h, w)``, on a coarser grid."""
        image = F.pad(image, (self._pad,) * 4, mode="replicate")
        spectrum = torch.fft.fft2(image)[:, :, self._rows][..., self._columns]
        analytic = self._amplitude * torch.fft.ifft2(spectrum * self._filters)
        return analytic.real.square() + analytic.imag.square()

    def subunits(self, image: Tensor) -> Tensor:
        """Responses ``(B, n, 9)`` of the subunits along each unit's contour."""
        energy = self.energy(image)
        around = F.avg_pool2d(
            energy.sum(1, keepdim=True), self._pool, stride=1, padding=self._pool // 2, count_include_pad=False
        )
        normalised = energy / (SEMISATURATION**2 + around)
        raised = self._blur_rows @ (normalised + MIN_RESPONSE**2).square() @ self._blur_columns.mT
        places = self._places.expand(len(image), -1, -1, -1)
        pooled = F.grid_sample(raised, places, mode="bilinear", align_corners=True)
        return torch.einsum("bcnj,njc->bnj", pooled, self._tuning) ** 0.25

    def forward(self, image: Tensor) -> Tensor:
        """Responses ``(B, n)`` to images ``(B, 1, h, w)``."""
        return GAIN * (self.subunits(image).log().mean(-1).exp() - MIN_RESPONSE)


def _gaussian(square: Tensor) -> Tensor:
    """``exp(-square / 2)``, 0 where it is below 1e-7: subnormal numbers would slow every product down."""
    value = torch.exp(-square / 2)
    return value.masked_fill(value < 1e-7, 0.0)


def _channels() -> tuple[Tensor, Tensor]:
    """Frequency and orientation (radians, the direction of the bars) of the 16 energy channels."""
    frequency, step = torch.meshgrid(
        torch.tensor(FREQUENCIES, dtype=torch.float64), torch.arange(ORIENTATIONS, dtype=torch.float64), indexing="ij"
    )
    return frequency.flatten(), step.flatten() * math.pi / ORIENTATIONS


def _analytic_gabors(fx: Tensor, fy: Tensor) -> Tensor:
    """Fourier transforms ``(16, rows, columns)`` of the analytic Gabors: gaussians of one octave about the peak."""
    frequency, orientation = (v[:, None, None] for v in _channels())
    distance = (fx + frequency * orientation.sin()) ** 2 + (fy - frequency * orientation.cos()) ** 2
    filters = _gaussian(distance * (math.pi / frequency) ** 2)
    filters[:, 0, 0] = 0.0
    return filters


def _blur(coordinates: Tensor, sigma: float) -> Tensor:
    """The matrix ``(m, m)`` of a gaussian average along one axis; its rows sum to 1."""
    weights = _gaussian(((coordinates[:, None] - coordinates) / sigma) ** 2)
    return (weights / weights.sum(1, keepdim=True)).float()


def _between(values: Tensor, coordinates: Tensor) -> Tensor:
    """``values`` as fractions of the way from the first (-1) to the last (1) coordinate."""
    return 2 * (values - coordinates[0]) / (coordinates[-1] - coordinates[0]) - 1


def _orientation_tuning(tangents: Tensor) -> Tensor:
    """Weights ``(n, 9, 16)`` of the energy channels for contours of the given directions (radians), of sum 1."""
    frequency, orientation = _channels()
    tuning = torch.exp(4 * (torch.cos(2 * (tangents[..., None] - orientation)) - 1))
    return tuning / tuning.sum(-1, keepdim=True)
