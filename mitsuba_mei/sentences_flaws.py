"""What is said of a mesh that no object has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["describe_each_mesh", "describe_mesh", "flaws"]

KINDS = ("flipped", "degenerate", "intersecting")


def flaws(mesh: Mapping[str, Any]) -> str:
    """``4 flipped, 102 intersecting``; nothing where there are none."""
    counts = {kind: mesh[f"{kind}_faces"] for kind in KINDS}
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def describe_mesh(mesh: Mapping[str, Any] | None) -> list[str]:
    """A warning, of ``result.json``'s ``mesh``, where it has such faces."""
    found = "" if mesh is None else flaws(mesh)
    return [f"the mesh has faces that no object has: {found}"] if found else []


def describe_each_mesh(scenes: Sequence[Mapping[str, Any]]) -> list[str]:
    """The same of several scenes, of ``result.json``'s ``diverse``; older folders do not say it of each."""
    found = {index: flaws(scene["mesh"]) for index, scene in enumerate(scenes, 1) if "mesh" in scene}
    bad = [f"scene {index}: {said}" for index, said in found.items() if said]
    return [f"{len(bad)} of {len(scenes)} meshes have faces that no object has ({'; '.join(bad)})"] if bad else []
