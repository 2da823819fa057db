"""Flaws of a mesh file before the optimization, and those that an optimization made."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from torch import Tensor

from .formats.contents import counted
from .mesh import TriangleMesh
from .quality import InputQuality, MeshQuality, assess, degenerate_faces, flipped_faces, intersecting_faces

__all__ = ["flaws_of_input", "input_sentences", "mesh_facts"]


@lru_cache(maxsize=2)
def _intersecting(template: TriangleMesh) -> np.ndarray:
    return intersecting_faces(template.vertices.double().numpy(), template.faces.numpy())


def flaws_of_input(template: TriangleMesh) -> InputQuality:
    """Count the flaws of a mesh from a file."""
    positions, faces = template.vertices.double().numpy(), template.faces.numpy()
    return InputQuality(
        flipped_faces=int(flipped_faces(positions, faces, template.edge_faces.numpy()).sum()),
        degenerate_faces=int(degenerate_faces(positions, faces).sum()),
        intersecting_faces=int(_intersecting(template).sum()),
        watertight=template.is_watertight,
        said=tuple(template.repairs),
    )


def input_sentences(template: TriangleMesh) -> list[str]:
    """Describe omissions, repairs and flaws of a mesh file; empty for a built-in template."""
    if not template.from_file:
        return []
    flaws = flaws_of_input(template)
    # A face turned against its neighbours may be a sharp edge, which is no flaw of a file.
    counts = {
        "passing through others": flaws.intersecting_faces,
        "squeezed nearly to a line or a point": flaws.degenerate_faces,
    }
    flaw_counts = [f"{counted(count, 'face')} {words}" for words, count in counts.items() if count]
    size = f"{counted(len(template.faces), 'face')}, {'closed' if flaws.watertight else 'not closed'}"
    return [size, *template.repairs, *([f"flaws of the file: {', '.join(flaw_counts)}"] if flaw_counts else [])]


def mesh_facts(shape: Tensor, template: TriangleMesh) -> MeshQuality:
    """Count the flaws of a finished mesh.

    Of a mesh from a file also what the file's own flaws were (``input``), and how many faces pass through others that
    did not in the file (``new_intersecting_faces``); flipped and degenerate faces are counted beyond the file's anyway.

    Parameters
    ----------
    shape : Tensor
        Its vertices, ``(V, 3)``.
    template : TriangleMesh
        What it was deformed from, on the CPU.
    """
    quality = assess(shape, template.faces, template.vertices)
    if not template.from_file:
        return quality
    now = intersecting_faces(shape.detach().cpu().double().numpy(), template.faces.numpy())
    new = int((now & ~_intersecting(template)).sum())
    return replace(quality, new_intersecting_faces=new, input=flaws_of_input(template))
