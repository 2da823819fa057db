"""What is said of a finished object's mesh: the flaws that the optimisation made, and those that its file had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["describe_each_mesh", "describe_mesh", "flaws"]

KINDS = ("flipped", "degenerate", "intersecting")


def flaws(mesh: Mapping[str, Any]) -> str:
    """``4 flipped, 102 intersecting``, faces that the optimisation made so; nothing where there are none."""
    counts = {kind: mesh[f"{kind}_faces"] for kind in KINDS}
    counts["intersecting"] = mesh.get("new_intersecting_faces", counts["intersecting"])
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def describe_mesh(mesh: Mapping[str, Any] | None) -> list[str]:
    """A warning, of ``result.json``'s ``mesh``, where it has faces that no object has."""
    if mesh is None:
        return []
    found, had = flaws(mesh), mesh.get("input", {}).get("intersecting_faces", 0)
    said = []
    if found:
        said.append(f"{'the optimisation made' if had else 'the mesh has'} faces that no object has: {found}")
    if had:
        left = mesh["intersecting_faces"] - mesh["new_intersecting_faces"]
        said.append(f"{had} faces of the input mesh passed through others before any step; {left} of them still do")
    return said


def describe_each_mesh(scenes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same of several scenes, of ``result.json``'s ``diverse``; older folders do not say it of each."""
    found = {index: flaws(scene["mesh"]) for index, scene in enumerate(scenes, 1) if "mesh" in scene}
    bad = [f"scene {index}: {said}" for index, said in found.items() if said]
    return [f"{len(bad)} of {len(scenes)} meshes have faces that no object has ({'; '.join(bad)})"] if bad else []
