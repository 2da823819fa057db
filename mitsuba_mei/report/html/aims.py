"""What runs say that are not to drive neurons alone: scenes recovered from images, metamers, diverse scenes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Union

from ..grey_scale import GreyScale
from .files import Figure, Said
from .pictures import Picture, picture_of, read_picture
from .stimuli import Levels, read_levels

__all__ = ["Aim", "Apart", "Away", "DiverseSet", "Metamer", "Recovered", "SceneOfSet", "read_aim", "scene_folders"]

MOST_SCENES = 16
PICTURE = 240


@dataclass(frozen=True)
class Away:
    """How far a parameter was and is from the true one; values as a scene file says them, None where unknown."""

    name: str
    true: float | list[float] | None
    initial: float | list[float] | None
    final: float | list[float] | None
    off_initial: float | None
    off_final: float | None
    unit: str


@dataclass(frozen=True)
class Recovered:
    """Inverse rendering.

    Attributes
    ----------
    error : str or None
        Its kind.
    reach : float or None
        What the full colours of the difference's picture are, radiance.
    initial, final, aligned : float or None
        Mean distance of the surfaces over the true one's diameter, the last after it was laid onto it.
    parameters : tuple of Away
    """

    kind: ClassVar[str] = "image"
    error: str | None
    reach: float | None
    initial: float | None
    final: float | None
    aligned: float | None
    parameters: tuple[Away, ...]


@dataclass(frozen=True)
class Apart:
    """How far scenes differ in one respect."""

    kind: str
    value: float | None


@dataclass(frozen=True)
class Metamer:
    """Another scene with the same responses."""

    kind: ClassVar[str] = "metamer"
    found: bool | None
    tolerance: float | None
    near: bool | None
    layer: str | None
    differ: str | None
    difference: float | None
    apart: float | None
    far: bool | None
    differences: tuple[Apart, ...]


@dataclass(frozen=True)
class SceneOfSet:
    """One of several scenes; ``flaws`` are the faces of its mesh that no object has, None where unknown."""

    activation: Figure | None
    of_maximum: Figure | None
    reached: bool | None
    render: Picture | None
    stimulus: Picture | None
    flaws: int | None = None


@dataclass(frozen=True)
class DiverseSet:
    """Scenes that all drive the neurons, and differ.

    Attributes
    ----------
    source : str or None
        Of the maximum: ``optimum``, or else what one scene alone reached.
    pairs : tuple of tuple of float or None
        How far two scenes lie apart, in what they are to differ in.
    scale : GreyScale
        Of all their stimuli.
    """

    kind: ClassVar[str] = "diverse"
    found: bool | None
    maximum: float | None
    source: str | None
    level: float | None
    differ: str | None
    difference: float | None
    apart: float | None
    far: bool | None
    unit: str | None
    differences: tuple[Apart, ...]
    pairs: tuple[tuple[float | None, ...], ...]
    scenes: tuple[SceneOfSet, ...]
    scale: GreyScale


Aim = Union[Recovered, Metamer, DiverseSet]


def read_aim(folder: Path, result: Said, card: Path | None = None) -> Aim | None:
    """What ``result.json`` says of such a run, however little; None of other runs. ``card``: as for ``read_levels``.

    Raises
    ------
    UserError
        If a picture in the folder is damaged.
    """
    kind = result.text("objective")
    if kind == "image":
        return _recovered(result)
    if kind == "metamer":
        return _metamer(result.part("metamer"))
    return _diverse(folder, result.part("diverse"), card) if kind == "diverse" else None


def _recovered(result: Said) -> Recovered:
    truth = result.part("truth")
    surface = truth.part("surface")
    distances = (surface.part(name).number("of_diameter") for name in ("initial", "final", "alignment"))
    reach = result.part("difference").number("reach")
    parameters = tuple(_away(name, Said(said)) for name, said in truth.part("parameters").items())
    return Recovered(result.part("error").text("kind"), reach, *distances, parameters)


def _away(name: str, said: Said) -> Away:
    values = (_value(said, when) for when in ("true", "initial", "final"))
    off = said.part("off")
    return Away(str(name), *values, off.number("initial"), off.number("final"), said.text("unit") or "")


def _value(said: Said, key: str) -> float | list[float] | None:
    return said.numbers(key) or said.number(key)


def _metamer(said: Said) -> Metamer:
    responses, scene = said.part("responses"), said.part("scene")
    return Metamer(
        found=said.flag("found"),
        tolerance=responses.number("tolerance"),
        near=responses.flag("near"),
        layer=responses.text("layer"),
        differ=scene.text("differ"),
        difference=scene.number("difference"),
        apart=scene.number("apart"),
        far=scene.flag("far"),
        differences=_apart(said, "value"),
    )


def _apart(said: Said, key: str) -> tuple[Apart, ...]:
    return tuple(Apart(str(kind), Said(value).number(key)) for kind, value in said.part("differences").items())


def scene_folders(folder: Path) -> list[Path]:
    """Where the scenes of a diverse set lie."""
    found = [folder / f"scenes/{index}" for index in range(MOST_SCENES)]
    return [each for each in found if each.is_dir()]


def _diverse(folder: Path, said: Said, card: Path | None) -> DiverseSet:
    folders, told = scene_folders(folder), said.parts("scenes")
    maximum = said.part("maximum")
    top = maximum.number("value")
    count = min(MOST_SCENES, max(len(folders), len(told)))
    levels = [read_levels(each, ("stimulus",), card) for each in folders]
    scale = GreyScale.of(each for known in levels if known.known for each in known.of.values())
    pictures = [_of_scene(each, seen, scale) for each, seen in zip(folders, levels)]
    scenes = [
        _scene(told[i] if i < len(told) else Said(None), pictures[i] if i < len(pictures) else (None, None), top)
        for i in range(count)
    ]
    return DiverseSet(
        found=said.flag("found"),
        maximum=top,
        source=maximum.text("from"),
        level=said.number("level"),
        differ=said.text("differ"),
        difference=said.number("difference"),
        apart=said.number("apart"),
        far=said.flag("far"),
        unit=said.text("unit"),
        differences=_apart(said, "mean"),
        pairs=_pairs(said.part("pairs").raw(said.text("differ") or ""), count),
        scenes=tuple(scenes),
        scale=scale,
    )


def _of_scene(folder: Path, seen: Levels, scale: GreyScale) -> tuple[Picture | None, Picture | None]:
    """Render and stimulus of a scene."""
    render = folder / "render.png"
    stimulus = picture_of(scale(seen.of["stimulus"]), PICTURE) if seen.known and seen.of else None
    return read_picture(render, PICTURE) if render.is_file() else None, stimulus


def _scene(said: Said, pictures: tuple[Picture | None, Picture | None], top: float | None) -> SceneOfSet:
    activation, part = said.part("activation").figure("final"), said.number("of_maximum")
    error = None if activation is None or activation.sem is None or not top else activation.sem / abs(top)
    of_maximum = None if part is None else Figure(part, error)
    return SceneOfSet(activation, of_maximum, said.flag("reached"), *pictures, _flaws(said))


def _flaws(said: Said) -> int | None:
    counts = [said.part("mesh").count(f"{kind}_faces") for kind in ("flipped", "degenerate", "intersecting")]
    return None if None in counts else sum(counts)


def _pairs(rows: Any, count: int) -> tuple[tuple[float | None, ...], ...]:
    """A square of numbers, of as many rows as there are scenes; empty where there is none."""
    if not isinstance(rows, list) or len(rows) != count or any(not isinstance(row, list) for row in rows):
        return ()
    if any(len(row) != count for row in rows):
        return ()
    return tuple(tuple(Said({"value": value}).number("value") for value in row) for row in rows)
