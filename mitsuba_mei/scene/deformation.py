"""Deformation of a template by radial basis functions around control points on its surface."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..config import scene as schema
from ..config.arguments import checked
from ..config.quantities import freeable_names
from ..errors import UserError
from .component import POSITIVE, Component

__all__ = ["RBFDeformation", "KERNELS", "farthest_points", "gaussian", "wendland_c2", "thin_plate"]


def gaussian(ratio2: Tensor) -> tuple[Tensor, Tensor]:
    r"""Gaussian :math:`\phi = \exp(-q^2 / 2)`, ``q = r / s``: 0.61 at ``r = s``, 0.01 at ``r = 3 s``; endlessly smooth.

    Parameters
    ----------
    ratio2 : Tensor
        ``q**2``, of any shape.

    Returns
    -------
    value, slope : Tensor
        :math:`\phi` and its derivative by ``q**2``, of that shape.

    References
    ----------
    Buhmann, M. D. (2003). Radial Basis Functions: Theory and Implementations. Cambridge University Press, ch. 2.
    """
    value = ratio2.mul(-0.5).exp_()
    return value, -0.5 * value


def wendland_c2(ratio2: Tensor) -> tuple[Tensor, Tensor]:
    r"""Wendland's C2 function :math:`\phi = (1 - \rho)_+^4 (4 \rho + 1)`, :math:`\rho = r / (4 s)`.

    ``s`` is about as wide as the gaussian's (0.63 at ``r = s``), and nothing moves beyond four scales.

    Parameters
    ----------
    ratio2 : Tensor
        ``(r / s)**2``, of any shape.

    Returns
    -------
    value, slope : Tensor
        :math:`\phi` and its derivative by ``(r / s)**2``, of that shape.

    References
    ----------
    Wendland, H. (1995). Piecewise polynomial, positive definite and compactly supported radial functions of minimal
    degree. Advances in Computational Mathematics 4, 389-396.
    """
    rest = ratio2.div(16).sqrt_().neg_().add_(1).clamp_min_(0)  # 1 - rho
    cubed = rest.square().mul_(rest)
    value = (5 - 4 * rest).mul_(rest).mul_(cubed)
    return value, cubed.mul_(-10 / 16)


def thin_plate(ratio2: Tensor) -> tuple[Tensor, Tensor]:
    r"""A thin-plate spline within its scale: :math:`\phi = 1 - q^2 + q^2 \ln q^2` for ``q = r / (3 s) < 1``, else 0.

    The thin-plate spline :math:`r^2 \ln r` grows without bound: every control point would move the whole object, and
    its scale would only add a quadratic. This is the spline plus the quadratic for which value and slope are 0 at the
    radius ``3 s``: the shape of a plate clamped at that rim and loaded in its middle. It is 0.64 at ``r = s``, near the
    gaussian, and has a continuous slope everywhere, but like any plate under a point load a logarithmic peak of
    curvature at the control point, and a step of curvature at the rim: the least smooth of the three kernels.

    Parameters
    ----------
    ratio2 : Tensor
        ``(r / s)**2``, of any shape.

    Returns
    -------
    value, slope : Tensor
        :math:`\phi` and its derivative by ``(r / s)**2``, of that shape; the slope, which is infinite at the control
        point itself, is cut at ``q = 1e-4``.

    References
    ----------
    Duchon, J. (1977). Splines minimizing rotation-invariant semi-norms in Sobolev spaces. Lecture Notes in Mathematics
    571, 85-100. Timoshenko, S. & Woinowsky-Krieger, S. (1959). Theory of Plates and Shells, ch. 3 (the clamped plate).
    """
    q2 = (ratio2 / 9).clamp_(1e-8, 1)
    logarithm = torch.log(q2)
    return 1 - q2 + q2 * logarithm, logarithm / 9


KERNELS: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "gaussian": gaussian,
    "wendland_c2": wendland_c2,
    "thin_plate": thin_plate,
}


class _Kernel(torch.autograd.Function):
    """A kernel of constant squared distances, ``(V, K)``, differentiable in the inverse squared scales, ``(K,)``.

    Written out since the kernels are most of the time: as single recorded operations they take twice as long.
    """

    @staticmethod
    def forward(ctx, inverse: Tensor, squared: Tensor, kernel: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
        value, slope = kernel(squared * inverse)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(slope.mul_(squared))
        return value

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return (gradient * slope).sum(dim=0), None, None


def farthest_points(points: Tensor, count: int) -> Tensor:
    """Indices, ``(count,)``, of points far from each other.

    Starts at the point farthest from the mean, and adds the point farthest from all chosen ones, the lowest index where
    several are. Deterministic.

    Parameters
    ----------
    points : Tensor
        ``(V, 3)``.
    count : int
        1 to V.

    References
    ----------
    Gonzalez, T. F. (1985). Clustering to minimize the maximum intercluster distance. Theoretical Computer Science 38.
    """
    chosen = torch.empty(count, dtype=torch.int64)
    distances = (points - points.mean(dim=0)).square().sum(dim=1)
    remaining = torch.full_like(distances, math.inf)
    for index in range(count):
        chosen[index] = distances.argmax()
        remaining = torch.minimum(remaining, (points - points[chosen[index]]).square().sum(dim=1))
        distances = remaining
    return chosen


DEFAULTS = schema.RBF()


class RBFDeformation(Component):
    r"""Moves each vertex by a sum of radial basis functions of its distance to control points on the template.

    .. math:: u(x) = \sum_k o_k \, \phi(|x - c_k| / s_k)

    or, normalised to a partition of unity (Shepard 1968), the same divided by :math:`\sum_k \phi(|x - c_k| / s_k)`.
    Distances are those on the undeformed template, so that the displacement is smooth in the surface's own coordinates.

    Parameters
    ----------
    vertices : Tensor
        The template's vertices, ``(V, 3)``, in object units.
    control_points : int
        Number K of control points, 1 to V, chosen among the vertices by :func:`farthest_points`.
    kernel : str
        One of :data:`KERNELS`.
    scale : float
        Every control point's first scale :math:`s_k` > 0, in object units.
    normalize : bool
        Whether the weights at a vertex add up to 1. Without it a displacement is local, and falls to 0 away from its
        control point; with it, it is spread until the next control points take over, and equal offsets translate the
        object as a whole. A vertex that no control point reaches stays where it is.
    free : iterable of str
        Those of ``offsets`` and ``scales`` that are optimized.
    generator : torch.Generator, optional
        Where given, the offsets start not at 0 but at :meth:`initialize`'s random ones.

    Attributes
    ----------
    control_indices : Tensor
        The control points' vertices, ``(K,)``.
    own_offsets : Tensor or None
        The offsets as they stood before :meth:`displace`.
    offsets, scales : Parameter
        Read them with :meth:`~Component.get`: ``(K, 3)`` and ``(K,)``, in object units.

    Raises
    ------
    UserError
        If a value is out of its range or a name unknown.

    References
    ----------
    Buhmann, M. D. (2003). Radial Basis Functions: Theory and Implementations. Cambridge University Press.
    Shepard, D. (1968). A two-dimensional interpolation function for irregularly-spaced data. ACM National Conference.
    """

    FREEABLE = freeable_names(schema.Shape)

    def __init__(
        self,
        vertices: Tensor,
        control_points: int = DEFAULTS.control_points,
        kernel: str = DEFAULTS.kernel,
        scale: float = DEFAULTS.scale,
        normalize: bool = DEFAULTS.normalize,
        free: Iterable[str] = (),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        given = {"control_points": control_points, "kernel": kernel, "scale": scale, "normalize": normalize}
        checked(schema.RBF, "rbf", given)
        if control_points > len(vertices):
            raise UserError(
                f"rbf.control_points is {control_points}, but the template has {len(vertices)} vertices; "
                f"choose 1 to {len(vertices)}, or a finer template"
            )
        self._kernel = KERNELS[kernel]
        self._normalize = normalize
        vertices = vertices.detach()
        indices = farthest_points(vertices, control_points)
        distances = torch.cdist(vertices, vertices[indices], compute_mode="donot_use_mm_for_euclid_dist")
        self.register_buffer("vertices", vertices.clone())
        self.register_buffer("control_indices", indices)
        self.register_buffer("squared_distances", distances.square())
        self.register_buffer("own_offsets", None, persistent=False)
        self.register("offsets", torch.zeros(control_points, 3), free="offsets" in free)
        self.register("scales", torch.full((control_points,), float(scale)), POSITIVE, free="scales" in free)
        if generator is not None:
            self.initialize(generator=generator)

    def displacement(self, offsets: Tensor) -> Tensor:
        """Displacement ``(V, 3)`` of the vertices by given offsets ``(K, 3)``, at the present scales."""
        values = _Kernel.apply(self.get("scales").pow(-2), self.squared_distances, self._kernel)
        if not self._normalize:
            return values @ offsets
        sums = values @ torch.cat([offsets, torch.ones_like(offsets[:, :1])], dim=1)
        return sums[:, :3] / sums[:, 3:].clamp_min(1e-8)

    def forward(self) -> Tensor:
        """The deformed vertices, ``(V, 3)``, in object units."""
        return self.vertices + self.displacement(self.get("offsets"))

    @torch.no_grad()
    def initialize(self, std: float = 0.02, generator: torch.Generator | None = None) -> None:
        """Add random smooth offsets.

        Normal offsets at the control points, averaged over their neighbours with the kernel's own weights, scaled so
        that a vertex is displaced by ``std`` (root mean square over vertices and coordinates).

        Parameters
        ----------
        std : float
            In object units, at least 0.
        generator : torch.Generator, optional
            Where the random numbers come from.
        """
        noise = torch.randn(self.offsets.shape, generator=generator)
        noise = self.displacement(noise)[self.control_indices]
        size = self.displacement(noise).square().mean().sqrt()
        self.offsets.add_(noise * (std / size.clamp_min(1e-12)))

    def displace(self, std: float, generator: torch.Generator) -> None:
        """Move the offsets a little, as :meth:`initialize` does, and remember where they stood.

        An object with symmetries has places where no gradient leads away from them; an optimization starts beside.
        """
        self.own_offsets = self.offsets.detach().clone()
        self.initialize(std, generator)

    @torch.no_grad()
    def put_back(self) -> None:
        """Undo :meth:`displace`, to the last bit."""
        if self.own_offsets is not None:
            self.offsets.copy_(self.own_offsets)

    @contextmanager
    def undisplaced(self) -> Iterator[None]:
        """Within it, the offsets are those of before :meth:`displace`."""
        moved = self.offsets.detach().clone()
        self.put_back()
        try:
            yield
        finally:
            with torch.no_grad():
                self.offsets.copy_(moved)
