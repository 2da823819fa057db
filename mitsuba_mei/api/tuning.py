"""Tuning curves and maps from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from ..experiments.tune import TuningRequest, run_tuning
from ..runs.folder import named_or_numbered
from .folders import in_folder
from .progress import bar_of
from .results import Run

__all__ = ["tune"]


def tune(
    source: Run | str | Path,
    over: str | Sequence[str] | Mapping[str, tuple[float, float, int]],
    *,
    neurons: str | int | Sequence[int] | None = None,
    renderer: str | None = None,
    relative: bool = False,
    repeats: int | None = None,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    progress: bool | str = True,
    trust_code: bool = False,
) -> Run:
    """Measure responses over one or two numbers of a scene: a tuning curve, or a map.

    Parameters
    ----------
    source : Run, Path or str
        A finished run, or a scene file.
    over : mapping, str or sequence of str
        What is varied: ``{"pose.rotation.y": (-90, 90, 19)}``, or ``"pose.rotation.y=-90:90:19"``.
    neurons : str, int or sequence of int, optional
        As ``"3,25-28"``, or ``"all"``; the objective's own by default.
    renderer : {'path', 'raster'}, optional
        The run's own by default.
    relative : bool
        Whether the ranges are about the scene's own values.
    repeats : int, optional
        Renders of a point.
    overrides : sequence of str
        Values of the scene file to change, as ``"render.spp=64"``.
    out : Path or str, optional
        A new folder; by default one within the run's, and of a scene file one that lasts as long as the result.
    progress : bool or 'live'
        Whether a bar is shown.
    trust_code : bool
        Whether code that a model card names may be run.

    Returns
    -------
    Run
        With a ``TuningResult``: for each neuron ``mean``, ``sem`` and preferred values.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> tuning = mm.tune("scenes/quickstart.yaml", {"pose.rotation.y": (-30, 30, 3)}, renderer="raster", progress=False)
    >>> tuning.neurons[0].mean.shape
    (3,)
    """
    if isinstance(over, Mapping):
        over = [f"{path}={first}:{last}:{points}" for path, (first, last, points) in over.items()]
    over = [over] if isinstance(over, str) else list(over)
    if neurons is not None and not isinstance(neurons, str):
        neurons = ",".join(map(str, [neurons] if isinstance(neurons, int) else neurons))
    request = TuningRequest(over, neurons, relative, repeats)
    run = source if isinstance(source, Run) else None  # it keeps its model in memory, and its folder, alive
    folder = Path(source) if run is None else run.folder
    trusted = trust_code or (run is not None and run._trusts_code)
    with nullcontext(out) if run is None else named_or_numbered(out, "tuning", folder) as place:
        return in_folder(
            lambda where, bar: run_tuning(folder, renderer, overrides, request, where, bar, trusted),
            bar_of(progress),
            place,
            run,
            trusted,
        )
