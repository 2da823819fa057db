"""What a report says of a run, in types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .aims import Aim, Metamer, Recovered
from .files import Figure
from .mesh import PackedMesh, Viewpoint
from .pictures import Picture
from .places import Place
from .tuning import Tuning

__all__ = ["Evaluated", "Frame", "MeshFigures", "Response", "RunRecord", "Second", "Solid", "Start"]


@dataclass(frozen=True)
class Response:
    """What one neuron answered."""

    neuron: int | None
    initial: Figure | None
    final: Figure | None


@dataclass(frozen=True)
class Start:
    """What one of several starts ended with."""

    number: int
    initial: Figure | None
    final: Figure | None
    steps: int | None
    ended: str
    kept: bool


@dataclass(frozen=True)
class Second:
    """What a model that the optimization never saw makes of the same stimuli."""

    model: str
    initial: Figure | None
    final: Figure | None
    pixel: float | None
    ratio: Figure | None


@dataclass(frozen=True)
class Evaluated:
    """An evaluation of its own (``run.py evaluate``)."""

    file: str
    renderer: str
    initial: Figure | None
    final: Figure | None


@dataclass(frozen=True)
class MeshFigures:
    """Counts of ``result.json``; None is unknown.

    Of a mesh from a file also how many faces pass through others that did not in the file, how many did there, whether
    that one was closed, and what was said when it was read.
    """

    vertices: int | None
    faces: int | None
    flipped: int | None
    degenerate: int | None
    intersecting: int | None
    watertight: bool | None
    smallest_angle: float | None
    new_intersecting: int | None = None
    input_intersecting: int | None = None
    input_watertight: bool | None = None
    input_said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One moment of the optimization; of inverse rendering the second picture is the difference from the target."""

    label: str
    render: Picture
    stimulus: Picture


@dataclass(frozen=True)
class Solid:
    """An object, and what it is called beside others."""

    name: str
    mesh: PackedMesh


@dataclass(frozen=True)
class RunRecord:
    """Everything that a report says of a run.

    Attributes
    ----------
    place : Place
    kind : str
        ``3d``, or ``pixel``: of an image without an object.
    initial, final : Figure or None
        Converged, of the initial and the final scene; a pixel MEI has no initial one. Where what was maximised is minus
        an error, this is the error; of several scenes it is their mean.
    initial_scene : str or None
        What the initial scene is, as :mod:`~mitsuba_mei.scene.initial` has it.
    pictures : dict of str to Picture
        ``stimulus``, and where there are such ``initial_stimulus``, ``pixel_stimulus``, ``render``,
        ``initial_render``, ``target``, ``difference``, ``reference``, ``reference_stimulus``, ``stimulus_thumbnail``,
        ``render_thumbnail``.
    solids : tuple of Solid
        What is to be turned; none of a pixel MEI.
    metrics : dict of str to ndarray
        The columns of ``metrics.csv``; ``activation`` has the sign of the figures above.
    aim : Aim or None
        What runs say that are not to drive neurons alone.
    grey_scale : str
        Which grey levels its stimuli are shown with as black and white, in words.
    beside_is_difference : bool
        Whether the second pictures of ``frames`` are differences of renders: from the target, or of a metamer of an
        earlier version from the reference.
    exposure : float
        What renders were multiplied with to be displayed, where that is known.
    further : dict
        What else ``result.json`` says.
    against : tuple of Response
        Of the neurons that others are told from.
    runs_code : bool
        Whether the model is the user's own code, which is run where the user says so.
    """

    place: Place
    kind: str
    model: str
    neurons: tuple[int, ...]
    objective: str
    initial: Figure | None
    initial_scene: str | None
    final: Figure
    optimum: float | None
    fraction: float | None
    pixel: float | None
    ratio: Figure | None
    validation: Second | None
    responses: tuple[Response, ...]
    starts: tuple[Start, ...]
    evaluations: tuple[Evaluated, ...]
    kept_start: int
    steps: int | None
    seconds: float | None
    skipped: int | None
    renderer: str | None
    variant: str | None
    seed: int | None
    ended: str
    reason: str | None
    outside_display: float | None
    quality: MeshFigures | None
    solids: tuple[Solid, ...]
    view: Viewpoint | None
    pictures: Mapping[str, Picture]
    frames: tuple[Frame, ...]
    grey_scale: str
    beside_is_difference: bool
    exposure: float
    metrics: Mapping[str, np.ndarray]
    tunings: tuple[Tuning, ...]
    aim: Aim | None
    scene_file: str
    versions: Mapping[str, str]
    further: Mapping[str, Any]
    against: tuple[Response, ...] = ()
    runs_code: bool = False

    @property
    def is_error(self) -> bool:
        """Whether the figures are of an error, the less the better."""
        return isinstance(self.aim, (Recovered, Metamer))
