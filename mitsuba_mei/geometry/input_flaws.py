"""What a mesh from a file is like before anything is done with it, and which of its flaws an optimization made."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from .formats.contents import counted
from .mesh import TriangleMesh
from .quality import assess, degenerate_faces, flipped_faces, intersecting_faces

__all__ = ["flaws_of_input", "input_sentences", "mesh_facts"]


@lru_cache(maxsize=2)
def _intersecting(template: TriangleMesh) -> np.ndarray:
    return intersecting_faces(template.vertices.double().numpy(), template.faces.numpy())


def flaws_of_input(template: TriangleMesh) -> dict[str, Any]:
    """Count the flaws of a mesh from a file, as ``result.json`` has them under ``mesh.input``."""
    positions, faces = template.vertices.double().numpy(), template.faces.numpy()
    return {
        "flipped_faces": int(flipped_faces(positions, faces, template.edge_faces.numpy()).sum()),
        "degenerate_faces": int(degenerate_faces(positions, faces).sum()),
        "intersecting_faces": int(_intersecting(template).sum()),
        "watertight": template.is_watertight,
        "said": list(template.repairs),
    }


def input_sentences(template: TriangleMesh) -> list[str]:
    """What was left out of a mesh's file, what was repaired, and which flaws it has; nothing of a built-in template."""
    if not template.from_file:
        return []
    flaws = flaws_of_input(template)
    # A face turned against its neighbours may be a sharp edge, which is no flaw of a file.
    kinds = {"intersecting": "passing through others", "degenerate": "squeezed nearly to a line or a point"}
    counts = {words: flaws[f"{kind}_faces"] for kind, words in kinds.items()}
    found = [f"{counted(count, 'face')} {words}" for words, count in counts.items() if count]
    size = f"{counted(len(template.faces), 'face')}, {'closed' if flaws['watertight'] else 'not closed'}"
    return [size, *template.repairs, *([f"flaws of the file: {', '.join(found)}"] if found else [])]


def mesh_facts(shape: Tensor, template: TriangleMesh) -> dict[str, Any]:
    """What ``result.json`` says of a finished mesh.

    Of a mesh from a file also what the file's own flaws were (``input``), and how many faces pass through others that
    did not in the file (``new_intersecting_faces``); flipped and degenerate faces are counted beyond the file's anyway.

    Parameters
    ----------
    shape : Tensor
        Its vertices, ``(V, 3)``.
    template : TriangleMesh
        What it was deformed from, on the CPU.
    """
    facts: dict[str, Any] = assess(shape, template.faces, template.vertices).as_dict()
    if not template.from_file:
        return facts
    now = intersecting_faces(shape.detach().cpu().double().numpy(), template.faces.numpy())
    facts["new_intersecting_faces"] = int((now & ~_intersecting(template)).sum())
    return {**facts, "input": flaws_of_input(template)}
