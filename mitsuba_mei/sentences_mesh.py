"""What is said of a finished object's mesh: the flaws that the optimisation made, and those that its file had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["describe_flaws"]


def describe_flaws(mesh: Mapping[str, Any]) -> list[str]:
    """The flaws of a mesh, of what ``result.json`` says under ``mesh``."""
    counts = {kind: mesh[f"{kind}_faces"] for kind in ("flipped", "degenerate", "intersecting")}
    had = mesh.get("input", {}).get("intersecting_faces", 0)
    left = 0
    if had:
        left = counts["intersecting"] - mesh["new_intersecting_faces"]
        counts["intersecting"] = mesh["new_intersecting_faces"]
    flaws = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    said = []
    if flaws:
        made = "the optimisation made faces" if had else "the mesh has faces"
        said.append(f"{made} that no object has: {flaws}")
    if had:
        said.append(f"{had} faces of the input mesh passed through others before any step; {left} of them still do")
    return said
