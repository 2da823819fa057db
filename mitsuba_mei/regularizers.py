"""Regularizers of a deformed mesh: energies that do not depend on the mesh's resolution."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from .errors import UserError, nearest
from .geometry.mesh import TriangleMesh
from .geometry.operators import SparseMatrix, edge_weights, mixed_areas

__all__ = ["Regularizers", "REGULARIZERS"]

_SMOOTHNESS_LENGTH = 0.1
"""The length at which smoothness measures curvature, in radii of a sphere of the template's area."""

_BARRIER = 0.1
"""Below this fraction of its fair share, a length's or area's barrier goes on as a straight line."""


def barrier(ratio: Tensor) -> Tensor:
    r"""Barrier on a ratio's distance from 1: :math:`b(x) = (x + 1/x) / 2 - 1`, about :math:`(x - 1)^2 / 2` near 1.

    The one-dimensional symmetric Dirichlet energy: it grows without bound towards 0 as it does towards infinity. Below
    0.1 it goes on along its tangent, so that its gradient stays finite at 0 and drives negative ratios back.

    Parameters
    ----------
    ratio : Tensor
        Of any shape and sign.

    References
    ----------
    Smith, J. & Schaefer, S. (2015). Bijective parameterization with free boundaries. ACM Transactions on Graphics 34.
    """
    inside = ratio.clamp_min(_BARRIER)
    tangent = (1 - 1 / _BARRIER**2) / 2
    return (inside + 1 / inside) / 2 - 1 + tangent * (ratio - inside)


class Regularizers(nn.Module):
    """Energies of a deformation of a template, and their weighted sum.

    Each is a mean over the surface without unit: 0 at the template (and, but for smoothness, under rigid motion), and
    the same for the same deformation of a finer mesh. Sizes below are relative to the template's own.

    smoothness
        Mean squared Laplacian of the displacement, times a length squared: a tenth of the radius of a sphere of the
        template's area. It is 1 where the displacement's curvature is 10 / radius everywhere. A ripple of wavelength
        L counts as 1 / L**4, so it bears hard on speckle and hardly on large smooth deformation.
    area
        Mean :func:`barrier` of each face's signed area over the mean one. Signed: as seen along the mean normal of its
        edge neighbours, so that it passes 0 where a face collapses and is negative where it folds over.
    edge_length
        Mean :func:`barrier` of each squared edge length over the mean one: stretch, whatever the size of the whole.
    rigidity
        As-rigid-as-possible: mean squared difference between the edges around a vertex and the template's, turned by
        the rotation that fits them best.

    Parameters
    ----------
    template : TriangleMesh
        The undeformed mesh.
    weights : mapping of str to float
        Name (of :data:`REGULARIZERS`) to weight, at least 0. Terms that are left out, or weigh 0, are not computed.

    Raises
    ------
    UserError
        If a name is unknown or a weight negative.

    References
    ----------
    Meyer, M., Desbrun, M., Schroeder, P. & Barr, A. H. (2003). Discrete differential-geometry operators for
    triangulated 2-manifolds. Visualization and Mathematics III (the cotangent Laplacian and mixed areas).
    Sorkine, O. & Alexa, M. (2007). As-rigid-as-possible surface modeling. Symposium on Geometry Processing.
    Smith, J. & Schaefer, S. (2015). Bijective parameterization with free boundaries. ACM Transactions on Graphics 34
    (the symmetric Dirichlet energy).
    """

    def __init__(self, template: TriangleMesh, weights: Mapping[str, float]) -> None:
        super().__init__()
        for name, weight in weights.items():
            if name not in REGULARIZERS:
                raise UserError(f"regularizers has no '{name}'; {nearest(name, REGULARIZERS)}")
            if not 0 <= weight < float("inf"):
                raise UserError(f"regularizers.{name} is {weight:g}; a weight must be 0 or more, and finite")
        self.weights = {name: float(weights[name]) for name in REGULARIZERS if weights.get(name, 0) > 0}
        self.terms = nn.ModuleDict({name: REGULARIZERS[name](template) for name in self.weights})

    def forward(self, vertices: Tensor) -> dict[str, Tensor]:
        """The unweighted energies of the deformed vertices, ``(V, 3)`` in object units: name to scalar."""
        return {name: term(vertices) for name, term in self.terms.items()}

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of what :meth:`forward` returned; 0 where no term is on."""
        return sum((self.weights[name] * value for name, value in terms.items()), torch.zeros(()))


class Smoothness(nn.Module):
    r"""Mean squared Laplacian of the displacement, :math:`\ell^2 \, \frac1A \int |\Delta u|^2 dA`.

    The cotangent Laplacian of the template, each row divided by the vertex's mixed area (Meyer et al. 2003, eq. 8), and
    :math:`\ell = 0.1 \sqrt{A / 4 \pi}`. The vertices of a border, where this approximates no Laplacian, do not count.
    """

    def __init__(self, template: TriangleMesh) -> None:
        super().__init__()
        count = len(template.vertices)
        starts, ends, weights = edge_weights(template)
        areas = mixed_areas(template)
        total = areas.sum()
        length2 = _SMOOTHNESS_LENGTH**2 * total / (4 * torch.pi)
        scale = torch.sqrt(length2 / (total * areas))  # a row's square is the vertex's part of the integral
        scale[template.edges[(template.edge_faces < 0).any(dim=1)].reshape(-1)] = 0
        values = weights * scale[starts]
        self.laplacian = SparseMatrix(
            torch.cat([starts, starts]),
            torch.cat([ends, starts]),
            torch.cat([values, -values]).float(),
            (count, count),
        )
        self.register_buffer("rest", template.vertices.clone())

    def forward(self, vertices: Tensor) -> Tensor:
        """Energy of the deformed vertices, ``(V, 3)``."""
        return self.laplacian(vertices - self.rest).square().sum()


class FaceArea(nn.Module):
    r"""Uniform face area: mean of :func:`barrier` of :math:`\rho_f = \frac{a_f}{a_f^0} / \frac{A}{A^0}`.

    :math:`a_f` is the face's area seen along the mean normal of its edge neighbours (each weighted with its area),
    :math:`a_f^0` the template's, :math:`A` the whole unsigned surface. The mean is over the template's area. The area
    seen is that of the face times the cosine between the two normals: 0 for a collapsed face and for one upright on
    its surroundings, negative for one folded back onto them, which no intrinsic measure of its shape would notice.
    """

    def __init__(self, template: TriangleMesh) -> None:
        super().__init__()
        faces, pairs = template.faces, template.edge_faces
        inner = pairs[(pairs >= 0).all(dim=1)]
        self.neighbours = SparseMatrix(
            torch.cat([inner[:, 0], inner[:, 1]]),
            torch.cat([inner[:, 1], inner[:, 0]]),
            torch.ones(2 * len(inner)),
            (len(faces), len(faces)),
        )
        rows = torch.arange(len(faces)).repeat(2)
        count = (len(faces), len(template.vertices))
        signs = torch.cat([torch.ones(len(faces)), -torch.ones(len(faces))])
        self.first = SparseMatrix(rows, torch.cat([faces[:, 1], faces[:, 0]]), signs, count)
        self.second = SparseMatrix(rows, torch.cat([faces[:, 2], faces[:, 0]]), signs, count)
        signed, areas = self._areas(template.vertices)
        self.register_buffer("inverse_rest", 1 / torch.maximum(signed, 0.1 * areas.clamp_min(1e-3 * areas.mean())))
        self.register_buffer("share", areas / areas.sum())
        self.register_buffer("rest_total", areas.sum())

    def _areas(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Twice the signed and unsigned areas of the faces, ``(F,)`` each."""
        normals = torch.linalg.cross(self.first(vertices), self.second(vertices), dim=-1)
        around = self.neighbours(normals)
        tiny = 1e-30
        lengths = (normals.square().sum(dim=1) + tiny).sqrt()
        signed = (normals * around).sum(dim=1) / (around.square().sum(dim=1) + tiny).sqrt()
        return signed, lengths

    def forward(self, vertices: Tensor) -> Tensor:
        """Energy of the deformed vertices, ``(V, 3)``."""
        signed, areas = self._areas(vertices)
        ratio = signed * self.inverse_rest * (self.rest_total / areas.sum())
        return (self.share * barrier(ratio)).sum()


class EdgeLength(nn.Module):
    r"""Edge-length preservation: mean of :func:`barrier` of :math:`\lambda_e / \bar\lambda`.

    :math:`\lambda_e = (l_e / l_e^0)^2` is an edge's squared stretch, :math:`\bar\lambda` its mean; both means are
    weighted with the areas of the edge's faces. This is about twice the mean squared strain, up to a scale of it all.
    """

    def __init__(self, template: TriangleMesh) -> None:
        super().__init__()
        edges = template.edges
        rows = torch.arange(len(edges)).repeat(2)
        signs = torch.cat([torch.ones(len(edges)), -torch.ones(len(edges))])
        shape = (len(edges), len(template.vertices))
        self.difference = SparseMatrix(rows, torch.cat([edges[:, 1], edges[:, 0]]), signs, shape)
        areas = torch.cat([template.face_areas, torch.zeros(1)])[template.edge_faces].sum(dim=1)
        squared = self.difference(template.vertices).square().sum(dim=1)
        self.register_buffer("inverse_rest", 1 / squared.clamp_min(1e-6 * squared.mean()))
        self.register_buffer("share", areas / areas.sum())

    def forward(self, vertices: Tensor) -> Tensor:
        """Energy of the deformed vertices, ``(V, 3)``."""
        stretch = self.difference(vertices).square().sum(dim=1) * self.inverse_rest
        return (self.share * barrier(stretch / (self.share * stretch).sum().clamp_min(1e-12))).sum()


class Rigidity(nn.Module):
    r"""As-rigid-as-possible energy, per area: :math:`\frac{1}{2A} \sum_i \sum_j w_{ij} |e_{ij} - R_i e^0_{ij}|^2`.

    Sorkine & Alexa (2007), eq. 3, with cotangent weights; on a fine mesh the mean squared distance of the deformation
    gradient from a rotation. With :math:`S_i = \sum_j w_{ij} e_{ij} e_{ij}^{0\,T}` it is

    .. math::
        \frac{1}{2A} \Big( \sum_{ij} w_{ij} (|e_{ij}|^2 + |e^0_{ij}|^2) - 2 \sum_i \max_R \mathrm{tr}(R^T S_i) \Big),

    where the first sum is a Laplacian's, the :math:`S_i` are one sparse product, and the maximum and its rotation come
    from :func:`best_rotation`. The gradient is taken with the rotations held, which is exact since they are optimal
    (envelope theorem). Bending without stretch costs less the finer the mesh: it is smoothness that counts it.
    """

    def __init__(self, template: TriangleMesh) -> None:
        super().__init__()
        count = len(template.vertices)
        starts, ends, weights = edge_weights(template)
        weights = weights / (2 * template.face_areas.double().sum())
        rest = template.vertices.double()
        edges = rest[starts] - rest[ends]
        self.laplacian = SparseMatrix(
            torch.cat([starts, starts]),
            torch.cat([starts, ends]),
            torch.cat([weights, -weights]).float(),
            (count, count),
        )
        columns = [weights * edges[:, axis] for axis in range(3)]
        rows = [3 * starts + axis for axis in range(3)]
        self.covariance = SparseMatrix(
            torch.cat(rows * 2),
            torch.cat([starts] * 3 + [ends] * 3),
            torch.cat(columns + [-column for column in columns]).float(),
            (3 * count, count),
        )
        self.register_buffer("rest_energy", (weights * edges.square().sum(dim=1)).sum().float())

    def forward(self, vertices: Tensor) -> Tensor:
        """Energy of the deformed vertices, ``(V, 3)``."""
        covariance = self.covariance(vertices)  # (3V, 3), three rows a vertex: the transposed S_i, and so R_i below
        rotations = best_rotation(covariance.detach().view(-1, 3, 3)).view(-1, 3)
        stretch = 2 * (vertices * self.laplacian(vertices)).sum()
        return stretch + self.rest_energy - 2 * (rotations * covariance).sum()


REGULARIZERS: dict[str, Callable[[TriangleMesh], nn.Module]] = {
    "smoothness": Smoothness,
    "area": FaceArea,
    "edge_length": EdgeLength,
    "rigidity": Rigidity,
}
"""What makes, of the undeformed mesh, an energy of deformed vertices ``(V, 3)``, by the scene file's name for it."""


def best_rotation(matrices: Tensor) -> Tensor:
    r"""The rotations R that maximise :math:`\mathrm{tr}(R^T S)` of 3 x 3 matrices S, without a decomposition.

    The maximum :math:`\lambda = \sigma_1 + \sigma_2 \pm \sigma_3` is the largest root of the quartic

    .. math:: \lambda^4 - 2 \|S\|^2 \lambda^2 - 8 \det(S) \lambda + \|S\|^4 - 4 \|\mathrm{cof}\,S\|^2 = 0

    (Horn 1987), found by Newton's method from above, where the quartic is convex; its derivative by S is the rotation:

    .. math::
        R = \frac{(\lambda^2 + \|S\|^2) S + 2 \lambda \, \mathrm{cof}\,S - 2 S S^T S}
                 {\lambda^3 - \|S\|^2 \lambda - 2 \det S}.

    Where S has rank 1 or less many rotations are as good, and R is some matrix of finite entries.

    Parameters
    ----------
    matrices : Tensor
        ``(N, 3, 3)``.

    Returns
    -------
    Tensor
        ``(N, 3, 3)``, computed in float64 and returned as ``matrices``' type.

    References
    ----------
    Horn, B. K. P. (1987). Closed-form solution of absolute orientation using unit quaternions. JOSA A 4, 629-642.
    Theobald, D. L. (2005). Rapid calculation of RMSDs using a quaternion-based characteristic polynomial. Acta
    Crystallographica A 61, 478-480 (the Newton iteration).
    """
    s = matrices.double()
    s = s / s.square().sum(dim=(1, 2), keepdim=True).sqrt().clamp_min(1e-30)  # |S| = 1
    rows = s.unbind(dim=1)
    cofactor = torch.stack([torch.linalg.cross(rows[i], rows[j], dim=-1) for i, j in ((1, 2), (2, 0), (0, 1))], dim=1)
    determinant = (rows[0] * cofactor[:, 0]).sum(dim=1)
    constant = 1 - 4 * cofactor.square().sum(dim=(1, 2))
    root = torch.full_like(determinant, 3**0.5)
    for _ in range(10):
        square = root * root
        value = (square - 2) * square - 8 * determinant * root + constant
        slope = 4 * ((square - 1) * root - 2 * determinant)
        root = root - value / slope.clamp_min(1e-9)
    root = root.view(-1, 1, 1)
    denominator = (root * root - 1) * root - 2 * determinant.view(-1, 1, 1)
    numerator = (root * root + 1) * s + 2 * root * cofactor - 2 * s @ (s.transpose(1, 2) @ s)
    return (numerator / denominator.clamp_min(1e-9)).to(matrices.dtype)
