"""Rigid registration of two surfaces, and the distance between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import roma
import torch
import trimesh
from scipy.spatial.transform import Rotation

from .surface import Surface, surfaces

__all__ = ["Registration", "SurfaceDistance", "align", "alignment", "angle", "surface_distance"]

# Points on each surface and steps: from every start and between samples; from the best few of these and to the surfaces
# themselves; and from the best of these.
_SEARCH_POINTS, _SEARCH_STEPS = 150, 15
_TRIAL_POINTS, _TRIAL_STEPS = 400, 12
_FINAL_POINTS, _FINAL_STEPS = 800, 25

# What goes on: this many times the best rms distance or less, at most so many, turned so much apart.
_TO_TRIAL, _MAX_TRIALS, _TRIALS_DEGREES = 1.5, 4, 15.0
_TO_FINAL, _FINALS_DEGREES = 1.03, 2.0
_AS_GOOD, _AS_GOOD_RADII = 1.01, 1e-4


def align(source: trimesh.Trimesh, target: trimesh.Trimesh, samples: int = 4000, seed: int = 0) -> np.ndarray:
    """The rigid motion, without scaling and without reflection, that lays one surface onto another.

    It makes the rms distance between the two, over both directions alike, least. Starts are the surfaces' principal
    axes laid onto each other in all 24 ways (which of two axes is the longer may be chance) and, where both meshes have
    the same faces, the motion that fits their vertices, weighted by area (Kabsch 1976, A solution for the best rotation
    to relate two sets of vectors, Acta Crystallographica A 32:922-923). From each of them, iterative closest points
    (Besl & McKay 1992, A method for registration of 3-D shapes, IEEE PAMI 14:239-256) between few samples finds those
    worth going on from. These follow the distances to the surfaces themselves by Levenberg-Marquardt steps (Fitzgibbon
    2003, Robust registration of 2D and 3D point sets, Image and Vision Computing 21:1145-1153): iterative closest
    points creep where surfaces slide on each other. The best is taken, or, where vertices correspond, of all within one
    per cent of it the one that turns least away from the vertices' fit: an ellipsoid, which can be laid onto another
    in four ways, is not turned over.

    Parameters
    ----------
    source, target : Trimesh
        What moves, and what it is laid onto; as for :func:`surface_distance`.
    samples : int
        Points on each surface.
    seed : int
        Of the points.

    Returns
    -------
    ndarray
        ``(4, 4)``, homogeneous, as ``source.apply_transform`` takes it.
    """
    first, second, unit = surfaces(source, target, samples, seed)
    rotation, translation = alignment(first, second)
    motion = np.eye(4)
    motion[:3, :3] = rotation
    motion[:3, 3] = second.shape.centroid + unit * translation - rotation @ first.shape.centroid
    return motion


class Registration:
    """One surface laid onto another, and how far apart the two then are.

    Parameters
    ----------
    a, b : Surface
        What is moved, and what it is laid onto.
    rotation, translation : ndarray
        The motion, ``(3, 3)`` and ``(3,)``.
    count : int, optional
        How many of each surface's points count; all where left out.
    """

    def __init__(
        self, a: Surface, b: Surface, rotation: np.ndarray, translation: np.ndarray, count: int | None = None
    ) -> None:
        self.a, self.b, self.rotation, self.translation = a, b, rotation, translation
        of_a, of_b = (a.points, b.points) if count is None else (a.some_points(count), b.some_points(count))
        moved = of_a @ rotation.T + translation
        on_b, normals_b = b.nearest(moved)
        on_a, normals_a = a.nearest((of_b - translation) @ rotation)
        self.points = np.concatenate([moved, on_a @ rotation.T + translation])
        offsets = self.points - np.concatenate([on_b, of_b])
        self.distances = np.linalg.norm(offsets, axis=1)
        self.rms = float(np.sqrt(np.square(self.distances).mean()))
        # Where a distance grows fastest; where it is none, along the normal.
        touching = self.distances < 1e-9
        self.directions = offsets / np.where(touching, 1, self.distances)[:, None]
        self.directions[touching] = np.concatenate([normals_b, normals_a @ rotation.T])[touching]

    @property
    def farthest_vertex(self) -> float:
        """The greatest distance of either surface's vertices from the other surface."""
        of_a, of_b = (
            self.a.knots @ self.rotation.T + self.translation,
            (self.b.knots - self.translation) @ self.rotation,
        )
        offsets = [of_a - self.b.nearest(of_a)[0], of_b - self.a.nearest(of_b)[0]]
        return float(np.linalg.norm(np.concatenate(offsets), axis=1).max())

    def stepped(self, damping: float) -> tuple[np.ndarray, np.ndarray]:
        """The motion after one Levenberg-Marquardt step.

        A distance changes as the moved point does along its direction. Damping adds that the points shall move little
        in any direction, which alone, at 1, is the step of iterative closest points.
        """
        rates = _rates(self.points, self.directions)
        anyhow = sum(r.T @ r for r in (_rates(self.points, np.broadcast_to(e, self.points.shape)) for e in np.eye(3)))
        step = -np.linalg.solve(rates.T @ rates + damping * anyhow, rates.T @ self.distances)
        rotation = Rotation.from_rotvec(step[:3]).as_matrix()
        return rotation @ self.rotation, rotation @ self.translation + step[3:]


def _starts(a: Surface, b: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Motions to start from, ``(S, 3, 3)`` and ``(S, 3)``; where vertices correspond, the first is their fit."""
    rotations = [b.shape.axes @ cube @ a.shape.axes.T for cube in Rotation.create_group("O").as_matrix()]
    translations = [np.zeros(3)] * len(rotations)
    if _correspond(a, b):
        weights = a.shape.vertex_weights + b.shape.vertex_weights
        rotation, translation = roma.rigid_points_registration(
            *map(torch.from_numpy, (a.vertices, b.vertices, weights))
        )
        rotations.insert(0, rotation.numpy())
        translations.insert(0, translation.numpy())
    return np.stack(rotations), np.stack(translations)


def _correspond(a: Surface, b: Surface) -> bool:
    return len(a.vertices) == len(b.vertices) and np.array_equal(a.shape.faces, b.shape.faces)


def icp(
    a: Surface, b: Surface, rotations: np.ndarray, translations: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Iterative closest points between samples: better motions, and rms distances before the last step, ``(S,)``."""
    of_a, of_b = a.some_points(_SEARCH_POINTS), b.some_points(_SEARCH_POINTS)
    for _ in range(_SEARCH_STEPS):
        moved = of_a @ rotations.transpose(0, 2, 1) + translations[:, None]
        gaps_b, near_b = b.point_tree.query(moved)
        gaps_a, near_a = a.point_tree.query((of_b - translations[:, None]) @ rotations)
        sources = np.concatenate([np.broadcast_to(of_a, moved.shape), a.points[near_a]], axis=1)
        targets = np.concatenate([b.points[near_b], np.broadcast_to(of_b, (len(rotations), *of_b.shape))], axis=1)
        rotation, translation = roma.rigid_points_registration(torch.from_numpy(sources), torch.from_numpy(targets))
        rotations, translations = rotation.numpy(), translation.numpy()
    rms = np.sqrt(np.square(np.concatenate([gaps_a, gaps_b], axis=1)).mean(axis=1))
    return rotations, translations, rms


def refine(
    a: Surface, b: Surface, rotation: np.ndarray, translation: np.ndarray, count: int, steps: int
) -> Registration:
    """Levenberg-Marquardt steps until they gain next to nothing."""
    registration, damping = Registration(a, b, rotation, translation, count), 1e-2
    for _ in range(steps):
        further = Registration(a, b, *registration.stepped(damping), count)
        if further.rms < registration.rms:
            gain, registration = registration.rms - further.rms, further
            if gain < 5e-5 * registration.rms + 1e-8:
                break
            damping = max(damping / 10, 1e-9)
        elif damping > 1:
            break
        else:
            damping = max(10 * damping, 1e-3)
    return registration


def alignment(a: Surface, b: Surface) -> tuple[np.ndarray, np.ndarray]:
    """The motion of :func:`align`, about the centroids and in the common unit."""
    starts = _starts(a, b)
    rotations, translations, rms = icp(a, b, *starts)
    order = [i for i in np.argsort(rms) if rms[i] <= _TO_TRIAL * rms.min()]
    if _correspond(a, b):
        order.insert(0, 0)
    trials = [
        refine(a, b, rotations[i], translations[i], _TRIAL_POINTS, _TRIAL_STEPS)
        for i in _spread_out(order, rotations, _TRIALS_DEGREES)[:_MAX_TRIALS]
    ]
    trials.sort(key=lambda registration: registration.rms)
    order = [i for i, registration in enumerate(trials) if registration.rms <= _TO_FINAL * trials[0].rms]
    finals = [
        refine(a, b, trials[i].rotation, trials[i].translation, _FINAL_POINTS, _FINAL_STEPS)
        for i in _spread_out(order, [registration.rotation for registration in trials], _FINALS_DEGREES)
    ]
    best = min(finals, key=lambda registration: registration.rms)
    if _correspond(a, b):
        as_good = [registration for registration in finals if registration.rms <= _AS_GOOD * best.rms + _AS_GOOD_RADII]
        best = min(as_good, key=lambda registration: angle(registration.rotation @ starts[0][0].T))
    return best.rotation, best.translation


def _spread_out(order: Sequence[int], rotations: Sequence[np.ndarray] | np.ndarray, degrees: float) -> list[int]:
    """Indices whose rotations are pairwise more than ``degrees`` apart, greedily in ``order``."""
    kept: list[int] = []
    for i in order:
        if all(angle(rotations[i] @ rotations[j].T) > degrees for j in kept):
            kept.append(i)
    return kept


def _rates(points: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Jacobian ``(N, 6)`` of points along directions, by rotation about the axes and translation along them."""
    return np.concatenate([np.cross(points, directions), directions], axis=1)


def angle(rotation: np.ndarray) -> float:
    """The angle of a rotation ``(3, 3)``, degrees, 0 to 180."""
    return float(np.degrees(Rotation.from_matrix(rotation).magnitude()))


@dataclass(frozen=True)
class SurfaceDistance:
    """Distance of two surfaces, as they are or after the rigid motion that brings them closest.

    Parameters
    ----------
    mean : float
        Symmetric mean surface distance, scene units: the mean distance of the first surface's points from the second
        surface and that of the second's from the first, averaged.
    rms : float
        Root mean square distance over both directions alike, scene units. The alignment makes it least.
    greatest : float
        Symmetric Hausdorff distance, scene units: the greatest distance of any sample or vertex from the other surface.
    relative : float
        ``mean`` over the mean radius of the two, a surface's radius being its rms distance from its centroid.
    rotation : float
        The angle of the alignment, degrees, 0 to 180. It means little where the two have little in common and, unless
        their vertices correspond, where a shape has a symmetry.
    translation : float
        How far the alignment moves the centroid of the first surface, scene units.
    """

    mean: float
    rms: float
    greatest: float
    relative: float
    rotation: float
    translation: float


def surface_distance(
    a: trimesh.Trimesh, b: trimesh.Trimesh, samples: int = 4000, seed: int = 0, aligned: bool = True
) -> SurfaceDistance:
    """The distance between two surfaces, after :func:`align` or as they lie.

    Distances run from points, spread evenly by area, to the nearest point of the whole other surface (Cignoni, Rocchini
    & Scopigno 1998, Metro: measuring error on simplified surfaces, Computer Graphics Forum 17:167-174), in both
    directions alike (Aspert, Santa-Cruz & Ebrahimi 2002, MESH: measuring errors between surfaces using the Hausdorff
    distance, ICME 1:705-708). They have no sign: a dent counts as a bump does. From seed to seed, at 4,000 points, the
    lengths vary by 0.1 to 0.7 per cent where shapes are recognisably alike. Shapes that have little in common lie
    about equally well on each other in several ways: which one is found makes some 2 per cent of difference to the
    lengths, and any to ``rotation``.

    Parameters
    ----------
    a, b : Trimesh
        The surfaces. They may be open; faces without area count for nothing.
    samples : int
        Points on each surface.
    seed : int
        Of the points.
    aligned : bool
        Whether the first is moved onto the second; else rotation and translation are 0.

    Returns
    -------
    SurfaceDistance
        The same for ``b`` and ``a``, up to rounding and to whose centroid moves.

    Raises
    ------
    ValueError
        If a mesh has no area, or vertices that are not finite.
    """
    first, second, unit = surfaces(a, b, samples, seed)
    if aligned:
        rotation, translation = alignment(first, second)
    else:
        rotation, translation = np.eye(3), (first.shape.centroid - second.shape.centroid) / unit
    registration = Registration(first, second, rotation, translation)
    distances = unit * registration.distances
    mean = float(distances.mean())
    return SurfaceDistance(
        mean=mean,
        rms=float(np.sqrt(np.square(distances).mean())),
        greatest=max(float(distances.max()), unit * registration.farthest_vertex),
        relative=mean / unit,
        rotation=angle(rotation),
        translation=float(np.linalg.norm(second.shape.centroid + unit * translation - first.shape.centroid)),
    )
