"""What convex bodies cover of every pixel, exactly: their outline on the film, cut along the pixels' borders."""

from __future__ import annotations

import math

import numpy as np

from mitsuba_mei.scene.state import SceneState

__all__ = ["covered", "disc_area", "outline_of"]


def outline_of(state: SceneState, resolution: int) -> np.ndarray:
    """The outline (N, 2) of a convex body before the camera, pixels right of and below the film's top left corner.

    It is the convex hull of the vertices on the film (Andrew 1979, the monotone chain), clockwise as seen.
    """
    vertices, tan_half_fov = state.vertices.double().numpy(), state.tan_half_fov.item()
    film = vertices[:, :2] * [1, -1] / (-vertices[:, 2:] * tan_half_fov)
    places = sorted(map(tuple, 0.5 * resolution * (film + 1)))
    return np.array(_half(places) + _half(places[::-1]))


def _half(places: list) -> list:
    kept: list = []
    for place in places:
        while len(kept) > 1 and _side(kept[-2], kept[-1], place) <= 0:
            kept.pop()
        kept.append(place)
    return kept[:-1]


def _side(start, end, place):
    """Above 0 where ``place`` lies on the inner side of an edge."""
    return (end[0] - start[0]) * (place[1] - start[1]) - (end[1] - start[1]) * (place[0] - start[0])


def covered(outline: np.ndarray, resolution: int) -> np.ndarray:
    """The share (H, W) of every pixel that lies within a convex outline."""
    starts, ends = outline, np.roll(outline, -1, axis=0)
    row, column = np.mgrid[:resolution, :resolution]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) + np.stack([column, row], -1)[:, :, None]
    inner = np.stack([_side(a, b, corners.transpose(3, 0, 1, 2)) >= 0 for a, b in zip(starts, ends)])
    share = inner.all((0, 3)).astype(float)
    for i, j in np.argwhere(inner.any(3).all(0) & (share == 0)):
        square = list(corners[i, j])
        for edge in np.flatnonzero(~inner[:, i, j].all(1)):
            square = _cut(square, starts[edge], ends[edge])
        share[i, j] = _area(square)
    return share


def _cut(polygon: list, start: np.ndarray, end: np.ndarray) -> list:
    """What of a polygon lies within an edge (Sutherland & Hodgman 1974)."""
    sides = [_side(start, end, place) for place in polygon]
    kept = []
    for k, (place, side) in enumerate(zip(polygon, sides)):
        if side >= 0:
            kept.append(place)
        before, other = polygon[k - 1], sides[k - 1]
        if (side >= 0) != (other >= 0):
            crossing = before + other / (other - side) * (place - before)
            kept.insert(len(kept) - (side >= 0), crossing)
    return kept


def _area(polygon: list) -> float:
    if len(polygon) < 3:
        return 0.0
    x, y = np.array(polygon).T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def disc_area(distance: float, tan_half_fov: float, resolution: int, radius: float = 1.0) -> float:
    """What a sphere on the camera's axis covers, pixels."""
    return math.pi * (0.5 * resolution / tan_half_fov) ** 2 * radius**2 / (distance**2 - radius**2)
