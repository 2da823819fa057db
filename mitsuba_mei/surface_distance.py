"""How far two objects' surfaces lie apart, wherever the objects are and however they are turned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import trimesh

from .surface import surfaces
from .surface_alignment import Laid, alignment, angle

__all__ = ["SurfaceDistance", "surface_distance"]


@dataclass(frozen=True)
class SurfaceDistance:
    """How far two surfaces lie apart, as they are or after the rigid motion that brings them closest.

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
    """The distance between two surfaces, after :func:`~.surface_alignment.align` or as they lie.

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
        turn, shift = alignment(first, second)
    else:
        turn, shift = np.eye(3), (first.shape.centroid - second.shape.centroid) / unit
    laid = Laid(first, second, turn, shift)
    distances = unit * laid.distances
    mean = float(distances.mean())
    return SurfaceDistance(
        mean=mean,
        rms=float(np.sqrt(np.square(distances).mean())),
        greatest=max(float(distances.max()), unit * laid.farthest_vertex),
        relative=mean / unit,
        rotation=angle(turn),
        translation=float(np.linalg.norm(second.shape.centroid + unit * shift - first.shape.centroid)),
    )
