"""Experiments on a neuron and its scene: pixel MEI, diverse scenes, metamers, recovery, comparison, factors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..experiments.compare import run_comparison
from ..experiments.factors import run_factors
from ..experiments.pixel import run_pixel
from ..experiments.registry import run_experiment
from .folders import in_folder
from .problems import Problem, config_of, configs_of, with_objective
from .progress import bar_of
from .results import Run

__all__ = ["compare", "diverse", "factors", "metamer", "pixel_mei", "recover", "run"]


def run(
    scene: Problem,
    *,
    overrides: Sequence[str] = (),
    out: Path | str | None = None,
    progress: bool | str = True,
    trust_code: bool = False,
) -> Run:
    """Do what a scene file asks for, as ``run.py`` does.

    Parameters
    ----------
    scene : Path, str, Config or MEI
        A scene file, a configuration, or a problem in memory.
    overrides : sequence of str
        Values to change, as ``"render.spp=64"``.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.
    trust_code : bool
        Whether code that a model card names may be run.

    Returns
    -------
    Run
        The typed result of the experiment that the file asks for, and its folder.

    Raises
    ------
    UserError
        For whatever the user can mend, before the first step.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.run("scenes/quickstart.yaml", overrides=["optimizer.steps=1"], progress=False).steps
    1
    """
    config, held = config_of(scene, overrides, trust_code, rendered=True)
    return in_folder(
        lambda folder, bar: run_experiment(config, folder, bar), bar_of(progress), out, held, config.trusts_code
    )


def pixel_mei(
    scene: Problem,
    *,
    out: Path | str | None = None,
    progress: bool | str = True,
    **pixel: Any,
) -> Run:
    """Find the pixel MEI of a problem's neuron under its constraint; nothing is rendered.

    Parameters
    ----------
    scene : Path, str, Config or MEI
        A scene file, a configuration, or a problem in memory.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.
    **pixel
        As in the section ``pixel`` of a scene file: ``steps``, ``restarts``, ``parameters``.

    Returns
    -------
    Run
        With a ``PixelResult``: ``activation``, ``restarts``, ``stimulus``.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.pixel_mei("scenes/quickstart.yaml", steps=2, restarts=1, progress=False).ended
    'done'
    """
    config, held = config_of(scene, [f"pixel.{name}={value}" for name, value in pixel.items()])
    return in_folder(
        lambda folder, bar: run_pixel(config, folder, bar), bar_of(progress), out, held, config.trusts_code
    )


def diverse(scene: Problem, *, out: Path | str | None = None, progress: bool | str = True, **objective: Any) -> Run:
    """Find scenes that all drive the neuron and differ from each other.

    Parameters
    ----------
    scene : Path, str, Config or MEI
        A scene file, a configuration, or a problem in memory.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.
    **objective
        As in ``objective: {type: diverse}`` of a scene file: ``count``, ``level``, ``differ``, ``apart``.

    Returns
    -------
    Run
        With a ``DiverseResult``: ``diverse.scenes`` and the differences of their pairs.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20), pose=mm.Pose(free=["rotation"]))
    >>> mei = mm.MEI("models/v4_curvature.yaml", 25, scene=scene, renderer="raster", optimizer={"steps": 2})
    >>> mm.diverse(mei, count=2, level=0.5, progress=False).diverse.differ
    'image'
    """
    config, held = with_objective(scene, "diverse", objective)
    return in_folder(
        lambda folder, bar: run_experiment(config, folder, bar), bar_of(progress), out, held, config.trusts_code
    )


def metamer(scene: Problem, *, out: Path | str | None = None, progress: bool | str = True, **objective: Any) -> Run:
    """Find another scene to which the neurons answer as to a reference.

    Parameters
    ----------
    scene : Path, str, Config or MEI
        A scene file, a configuration, or a problem in memory.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.
    **objective
        As in ``objective: {type: metamer}`` of a scene file: ``reference``, ``layer``, ``tolerance``, ``differ``. The
        reference may be an :class:`MEI`, or an array of linear radiance, (H, W) or (H, W, 3); it is then kept in the
        user's cache folder.

    Returns
    -------
    Run
        With a ``MetamerResult``: ``metamer.found``, and how near the responses and how far apart the scenes are.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20), pose=mm.Pose(free=["rotation"]))
    >>> mei = mm.MEI("models/v4_curvature.yaml", 25, scene=scene, renderer="raster", optimizer={"steps": 2})
    >>> mm.metamer(mei, reference="scenes/quickstart.yaml", differ="shape", progress=False).metamer.scene.differ
    'shape'
    """
    config, held = with_objective(scene, "metamer", objective)
    return in_folder(
        lambda folder, bar: run_experiment(config, folder, bar), bar_of(progress), out, held, config.trusts_code
    )


def recover(scene: Problem, *, out: Path | str | None = None, progress: bool | str = True, **objective: Any) -> Run:
    """Recover a scene from images of it (inverse rendering).

    Parameters
    ----------
    scene : Path, str, Config or MEI
        The start: a scene file, a configuration, or a problem in memory.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.
    **objective
        As in ``objective: {type: image}`` of a scene file: ``target``, ``views``, ``error``. The target may
        be an :class:`MEI`, so that the truth is known, or an array of linear radiance, (H, W) or (H, W, 3), as may that
        of a view; it is then kept in the user's cache folder.

    Returns
    -------
    Run
        With an ``InverseResult``: ``error``, and ``truth`` where the target is a scene.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20), pose=mm.Pose(free=["rotation"]))
    >>> mei = mm.MEI("models/v4_curvature.yaml", 25, scene=scene, renderer="raster", optimizer={"steps": 2})
    >>> mm.recover(mei, target="scenes/quickstart.yaml", progress=False).error.kind
    'l2'
    """
    config, held = with_objective(scene, "image", objective)
    return in_folder(
        lambda folder, bar: run_experiment(config, folder, bar), bar_of(progress), out, held, config.trusts_code
    )


def compare(scenes: Problem | Sequence[Problem], *, out: Path | str | None = None, progress: bool | str = True) -> Run:
    """Optimize each problem path traced and rasterized, from the same starts, and evaluate both under both.

    Parameters
    ----------
    scenes : Path, str, Config or MEI, or several
        Scene files, configurations, or problems in memory.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.

    Returns
    -------
    Run
        With a ``ComparisonResult``: a table of both MEIs under both renderers for each neuron.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20), pose=mm.Pose(free=["rotation"]))
    >>> mei = mm.MEI("models/v4_curvature.yaml", 25, scene=scene, renderer="raster", optimizer={"steps": 1})
    >>> mm.compare(mei, progress=False).ended
    'done'
    """
    problems, held = configs_of(scenes, rendered=True)
    return in_folder(lambda folder, bar: run_comparison(problems, folder, bar), bar_of(progress), out, held)


def factors(
    scenes: Problem | Sequence[Problem],
    *,
    starts: int | None = None,
    out: Path | str | None = None,
    progress: bool | str = True,
) -> Run:
    """Optimize shape, pose and light alone, in pairs and together: what each is worth (Shapley values).

    Parameters
    ----------
    scenes : Path, str, Config or MEI, or several
        Scene files, configurations, or problems in memory.
    starts : int, optional
        For each neuron; at least three by default.
    out : Path or str, optional
        A new run folder; without it the run is kept as long as the result is.
    progress : bool or 'live'
        Whether a bar is shown; in a notebook ``'live'`` shows the render and the objective so far too.

    Returns
    -------
    Run
        With a ``FactorsResult``: activations of all subsets and their Shapley split for each neuron.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20), pose=mm.Pose(free=["rotation"]))
    >>> mei = mm.MEI("models/v4_curvature.yaml", 25, scene=scene, renderer="raster", optimizer={"steps": 1})
    >>> mm.factors(mei, starts=2, progress=False).ended
    'done'
    """
    problems, held = configs_of(scenes)
    return in_folder(lambda folder, bar: run_factors(problems, folder, bar, starts), bar_of(progress), out, held)
