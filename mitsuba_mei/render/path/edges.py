"""A mesh's edges, the directions in which they are silhouettes, and samples of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import drjit as dr
import mitsuba as mi
import numpy as np

from .sampler import Sampler

__all__ = ["Edges", "EdgeSample", "EdgeFrame"]


@dataclass
class EdgeSample:
    """Places on edges, each with a direction in which the edge is a silhouette.

    Attributes
    ----------
    edge : mi.UInt32
        Index of the edge.
    along : mi.Float
        The place, 0 at its start and 1 at its end.
    d : mi.Vector3f
        Unit vector towards the light.
    inverse : mi.Float
        One over the density (per unit of ``along``, and per what ``d`` was drawn from) and the number of samples.
    active : mi.Bool
        Whether there is such a place at all.
    """

    edge: mi.UInt32
    along: mi.Float
    d: mi.Vector3f
    inverse: mi.Float
    active: mi.Bool


@dataclass
class EdgeFrame:
    """An attached place ``y`` on an edge, the unit ``normal`` across it away from the faces, and the edge's projected
    ``length``.
    """

    y: mi.Point3f
    normal: mi.Vector3f
    length: mi.Float


@dataclass
class Edges:
    """Every edge of a mesh, running as in its first face. On the rim of an open mesh the second face is the first.

    Attributes
    ----------
    start, end : mi.UInt32
        Vertices, (E,).
    first_apex, second_apex : mi.UInt32
        The vertex of each adjacent face that is not on the edge, (E,).
    faces : mi.UInt32
        Vertex indices of the mesh's faces, (3F,).
    outward : int
        1 or -1 where the mesh is closed and its faces are counter-clockwise or clockwise from outside, else 0.
    """

    start: mi.UInt32
    end: mi.UInt32
    first_apex: mi.UInt32
    second_apex: mi.UInt32
    faces: mi.UInt32
    outward: int

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray) -> Edges:
        """The edges of ``faces`` (F, 3). Where more than two faces share an edge, two of them count."""
        corners = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
        apexes = np.concatenate([faces[:, 2], faces[:, 0], faces[:, 1]])
        _, first, edge = np.unique(np.sort(corners, axis=1), axis=0, return_index=True, return_inverse=True)
        edge = edge.reshape(-1)
        second = first.copy()
        others = np.flatnonzero(first[edge] != np.arange(len(corners)))
        second[edge[others]] = others
        closed = len(others) == len(first) and np.array_equal(corners[second], corners[first][:, ::-1])
        a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
        volume = np.einsum("ij,ij->", a, np.cross(b, c))
        columns = corners[first, 0], corners[first, 1], apexes[first], apexes[second]
        return cls(
            *(mi.UInt32(column.astype(np.uint32)) for column in columns),
            mi.UInt32(faces.astype(np.uint32).ravel()),
            int(np.sign(volume)) if closed else 0,
        )

    def __len__(self) -> int:
        return dr.width(self.start)

    def ends(self, vertices: mi.Float, edge: mi.UInt32, active: mi.Bool = True) -> tuple[mi.Point3f, mi.Point3f]:
        """The (attached) end points of edges."""
        return self._vertex(vertices, self.start, edge, active), self._vertex(vertices, self.end, edge, active)

    def outlines(self, vertices: mi.Float, edge: mi.UInt32, to_viewer: mi.Vector3f) -> mi.Bool:
        """Whether both faces lie on the same side of the plane through the edge and the viewer, and stick out."""
        a, b = self.ends(vertices, edge)
        p = self._vertex(vertices, self.first_apex, edge) - a
        q = self._vertex(vertices, self.second_apex, edge) - a
        across = dr.cross(b - a, to_viewer)
        # A face seen exactly edge-on counts as turned away, so that outlines stay closed.
        # With m = (b - a) x v, a silhouette has both apexes on one side: sign(p . m) = sign(q . m).
        return ((dr.dot(p, across) < 0) != (dr.dot(q, across) > 0)) & self._sticks_out(b - a, p, q)

    def frame(self, vertices: mi.Float, sample: EdgeSample) -> EdgeFrame:
        """Attached edge point, normal across the edge, and projected length of a sample."""
        a, b = self.ends(vertices, sample.edge, sample.active)
        y = dr.lerp(a, b, sample.along)
        with dr.suspend_grad():
            apex = self._vertex(vertices, self.first_apex, sample.edge, sample.active)
            apex = 0.5 * (apex + self._vertex(vertices, self.second_apex, sample.edge, sample.active))
            # |(b - a) x d|, the edge's length as seen along d; the same vector is the normal, in the plane across d.
            across = dr.cross(b - a, sample.d)
            length = dr.norm(across)
            normal = across / length
            normal = dr.select(dr.dot(normal, apex - y) > 0, -normal, normal)
        return EdgeFrame(y, dr.detach(normal), dr.detach(length))

    def moving_point(self, vertices, face, origin: mi.Point3f, d: mi.Vector3f, active: mi.Bool) -> mi.Point3f:
        """Intersection of the ray from ``origin`` along ``d`` with the plane of ``face``, attached to all of them."""
        corners = (dr.gather(mi.UInt32, self.faces, 3 * face + k, active) for k in range(3))
        a, b, c = (dr.gather(mi.Point3f, vertices, corner, active) for corner in corners)
        normal = dr.cross(b - a, c - a)
        # x = o + t d with t = n . (a - o) / (n . d); n, a, o and d are attached.
        return origin + d * (dr.dot(normal, a - origin) / dr.dot(normal, d))

    def touched(self, edge: mi.UInt32, hit: mi.PreliminaryIntersection3f) -> mi.Bool:
        """Whether an intersected face shares a vertex with an edge."""
        valid = hit.is_valid()
        a, b = dr.gather(mi.UInt32, self.start, edge), dr.gather(mi.UInt32, self.end, edge)
        result = mi.Bool(False)
        for k in range(3):
            corner = dr.gather(mi.UInt32, self.faces, 3 * hit.prim_index + k, valid)
            result |= (corner == a) | (corner == b)
        return result & valid

    def sample_outlines(
        self, vertices: mi.Float, to_light: Callable, lights: int, sampler: Sampler
    ) -> tuple[EdgeSample, mi.UInt32, mi.Float]:
        """Places on the outlines seen from a few lights, by their projected length.

        Parameters
        ----------
        to_light : callable
            ``to_light(k, p)`` is the unit vector from ``p`` to light ``k``.
        lights : int
            How many there are.

        Returns
        -------
        sample : EdgeSample
            With densities per light.
        light : mi.UInt32
            The light of each sample.
        length : mi.Float
            Projected length of an outline, averaged over the lights.
        """
        index = dr.arange(mi.UInt32, len(self) * lights)
        light = index // len(self)
        edge = index - light * len(self)
        a, b = self.ends(vertices, edge)
        d = to_light(light, 0.5 * (a + b))
        projected = dr.select(self.outlines(vertices, edge, d), dr.norm(dr.cross(b - a, d)), 0)
        index, along, pmf, total = draw(projected, sampler)
        light = index // len(self)
        edge = index - light * len(self)
        a, b = self.ends(vertices, edge)
        d = to_light(light, dr.lerp(a, b, along))
        # The mean over K lights: 1 / (N pmf K), the pmf being that of a pair of edge and light; uniform along the edge.
        inverse = dr.rcp(pmf * (dr.width(along) * lights))
        return EdgeSample(edge, along, d, inverse, pmf > 0), light, total / lights

    def sample_lunes(self, vertices: mi.Float, sampler: Sampler) -> EdgeSample:
        """Places on all edges, each with a direction drawn uniformly from those in which the edge is a silhouette.

        These directions form two opposite lunes between the planes of the adjacent faces.
        """
        every = dr.arange(mi.UInt32, len(self))
        length, _, _, _, opening, sticks_out = self._wedge(vertices, every)
        edge, along, pmf, _ = draw(dr.select(sticks_out, length * opening, 0), sampler)
        _, axis, first, side, opening, _ = self._wedge(vertices, edge)
        place = sampler.next_2d()
        # Uniform on a lune about the edge's axis: cos(theta) in [-1, 1] (Archimedes) and phi in the opening.
        cosine = 2 * place.x - 1
        back = place.y < 0.5
        sin_phi, cos_phi = dr.sincos(dr.pi - opening * dr.select(back, 2 * place.y, 2 * place.y - 1))
        planar = (cos_phi * first + sin_phi * side) * dr.safe_sqrt(1 - cosine * cosine)
        d = cosine * axis + dr.select(back, -planar, planar)
        # Two lunes of solid angle 2 * opening: 1 / p(d) = 4 * opening.
        inverse = 4 * opening / (pmf * dr.width(along))
        return EdgeSample(edge, along, d, inverse, (pmf > 0) & (opening > 0))

    def lune_weight(self, vertices: mi.Float) -> mi.Float:
        """Sum over all edges of length times the opening of the lunes."""
        length, _, _, _, opening, sticks_out = self._wedge(vertices, dr.arange(mi.UInt32, len(self)))
        return dr.sum(dr.select(sticks_out, length * opening, 0))

    def _vertex(self, vertices: mi.Float, table: mi.UInt32, edge: mi.UInt32, active: mi.Bool = True) -> mi.Point3f:
        return dr.gather(mi.Point3f, vertices, dr.gather(mi.UInt32, table, edge, active), active)

    def _sticks_out(self, way: mi.Vector3f, p: mi.Vector3f, q: mi.Vector3f) -> mi.Bool:
        """Whether an edge is convex; where the mesh has no outside, it may be."""
        return mi.Bool(True) if self.outward == 0 else self.outward * dr.dot(dr.cross(way, p), q) < 0

    def _wedge(self, vertices: mi.Float, edge: mi.UInt32):
        """Length and axis of an edge, the unit vectors in the first face and across it, the lunes' opening, and
        convexity.
        """
        a, b = self.ends(vertices, edge)
        p = self._vertex(vertices, self.first_apex, edge) - a
        q = self._vertex(vertices, self.second_apex, edge) - a
        length = dr.norm(b - a)
        axis = (b - a) / length
        first = dr.normalize(p - axis * dr.dot(axis, p))
        side = dr.cross(axis, first)
        x, y = dr.dot(q, first), dr.dot(q, side)
        side = dr.select(y < 0, -side, side)
        return length, axis, first, side, dr.pi - dr.atan2(dr.abs(y), x), self._sticks_out(b - a, p, q)


def draw(weight: mi.Float, sampler: Sampler) -> tuple[mi.UInt32, mi.Float, mi.Float, mi.Float]:
    """Indices in proportion to ``weight``, spread evenly; with each a uniform number, its probability, and the sum of
    weights.
    """
    distribution = mi.DiscreteDistribution(weight + 1e-30)
    count = sampler.width
    place = (dr.arange(mi.Float, count) + sampler.next_1d()) / count
    index, reused, pmf = distribution.sample_reuse_pmf(place)
    return index, reused, dr.select(dr.gather(mi.Float, weight, index) > 0, pmf, 0), distribution.sum()
