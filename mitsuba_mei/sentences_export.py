"""What is said of an export, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["describe_scene", "describe_stimuli"]


def describe_stimuli(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """Stimuli for an experiment."""
    rows = result["stimuli"]
    counts = Counter(row["what"] for row in rows)
    said = ", ".join(what if count == 1 else f"{count} {_several(what)}" for what, count in counts.items())
    lines = [f"{len(rows)} stimuli: {said}"]
    clipped = [float(row["clipped_fraction"]) for row in rows if float(row["clipped_fraction"]) > 0]
    if clipped:
        least = min(float(row["rms_contrast"]) for row in rows if float(row["clipped_fraction"]) > 0)
        lines.append(
            f"{len(clipped)} of them are clipped, {100 * max(clipped):.2g} % of the values at most, and have an RMS "
            f"contrast of {least:.3g} at least; a smaller --contrast can be displayed"
        )
    if result["gamma"].startswith("linear"):
        lines.append("levels are proportional to luminance; for a monitor that is not linear give --gamma")
    return [*lines, f"written to {folder}"]


def _several(what: str) -> str:
    return what.replace("stimulus", "stimuli") if what.endswith("stimulus") else f"{what}s"


def describe_scene(folder: Path, result: Mapping[str, Any]) -> list[str]:
    """A scene for a modelling program."""
    lines = ["object, camera, lights and material"]
    if result["left_out"]:
        lines.append(f"glTF has no such lights, they are in the scene's extras alone: {', '.join(result['left_out'])}")
    return [*lines, f"written to {folder / 'scene.glb'}"]
