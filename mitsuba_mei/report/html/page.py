"""The page: what is said and drawn of every run, put into the template, with everything that it needs inside."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from ... import __version__
from ...runs.results import DiverseResult, InverseResult, TuningResult
from ..html import aim_figures, aim_words, words
from .figures import activation_figure, curve_figures, mesh_figure
from .mesh import LEVELS
from .pictures import CaptionedPicture
from .record import RunRecord
from .results import Result
from .run_table import run_table
from .tuning_figures import summary_rows, tuning_figures

__all__ = ["page_of"]

ASSETS = files(__package__) / "assets"
SCRIPTS = ("table.js", "frames.js", "plots.js", "view.js", "page.js")


@dataclass(frozen=True)
class Plot:
    """A place where a figure is drawn: its key among the run's data, and what it shows in words."""

    key: str
    alt: str


@dataclass(frozen=True)
class TuningShown:
    """A measurement of tuning: its plots, and a table."""

    tuning: TuningResult
    plots: list[Plot]
    rows: list[dict[str, str]]
    references: list[str]


@dataclass(frozen=True)
class RunShown:
    """A run as the template takes it; ``data`` is what the page's script gets."""

    number: int
    run: RunRecord
    pictures: list[CaptionedPicture]
    mesh: Plot | None
    activation: Plot
    curves: list[Plot]
    tunings: list[TuningShown]
    settings: list[tuple[str, str]]
    data: dict[str, Any]


@dataclass(frozen=True)
class ResultShown:
    """What several runs come to, as the template takes it."""

    number: int
    result: Result
    plots: list[Plot]
    tunings: list[TuningShown]
    data: dict[str, Any]


def page_of(records: Sequence[RunRecord], results: Sequence[Result] = ()) -> str:
    """The HTML of a report, of one run or of several, and of what they come to.

    Everything from files is escaped: text by Jinja, data by JSON without ``<``. A content security policy keeps the
    page from every network, and from scripts that are not its own.
    """
    shown = [_shown(number, run) for number, run in enumerate(records, 1)]
    results_shown = [_result(number, result) for number, result in enumerate(results, 1)]
    script = _script()
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "measured": words.measured, "breakable": _breakable}
    return environment.get_template("report.html.j2").render(
        runs=shown,
        results=results_shown,
        laid=run_table(records),
        faces={solid.mesh.key: solid.mesh.faces for run in records for solid in run.solids},
        words=words,
        aim_words=aim_words,
        aim_figures=aim_figures,
        further_text=_further_text,
        beside=_beside,
        scales=_scales,
        alone=len(records) == 1 and not results,
        title=_title(records, results),
        style=Markup(_asset("report.css")),
        script=Markup(script),
        policy=_policy(script),
        plotly=Markup(_plotly()),
        plotly_version=_plotly_version(),
        version=__version__,
        today=date.today().isoformat(),
        levels=LEVELS,
    )


def _title(records: Sequence[RunRecord], results: Sequence[Result]) -> str:
    """What the page is about."""
    named = [result.title for result in results if result.place is not None]
    if len(named) == 1:
        return named[0]
    if len(records) == 1 and not named:
        return words.title(records[0])
    if not records:
        return f"{len(named)} results"
    alike = all(run.other is None for run in records)
    return f"{len(records)} maximally exciting inputs compared" if alike else f"{len(records)} runs"


def _breakable(name: str) -> Markup:
    """A name that may go on in another line after its separators, and nowhere else."""
    return Markup("<wbr>").join(re.split(r"(?<=[/_-])(?=[^/_-])|(?<=\w{3}\.)(?=\w)", name))


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _script() -> str:
    """The page's own script, which must not end its element."""
    text = '"use strict";\n(() => {\n' + "\n".join(_asset(name) for name in SCRIPTS) + "})();\n"
    assert "</" not in text
    return text


def _policy(script: str) -> str:
    """Its own script by its hash, and Plotly, which it unpacks; nothing from anywhere else."""
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _plotly() -> str:
    """plotly.js, packed: a third of its size, and nothing for a browser to read before a plot is wanted."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode("utf-8"), 9, mtime=0)).decode("ascii")


@cache
def _plotly_version() -> str:
    from plotly.offline import get_plotlyjs_version

    return get_plotlyjs_version()


def _shown(number: int, run: RunRecord) -> RunShown:
    drawn: dict[str, dict[str, Any]] = {
        "activation": aim_figures.level_figure(run.other.diverse)
        if isinstance(run.other, DiverseResult)
        else activation_figure(run)
    }
    if run.view is not None:
        drawn["mesh"] = mesh_figure([solid.mesh for solid in run.solids], run.view, run.place.name)
    curves = {f"curve-{i}": figure for i, figure in enumerate(curve_figures(run))}
    drawn |= curves
    tunings, figures = _tunings(run.tunings)
    drawn |= figures
    frames = [
        {"label": frame.label, "render": frame.render.address, "stimulus": frame.stimulus.address}
        for frame in run.frames
    ]
    return RunShown(
        number=number,
        run=run,
        pictures=_pictures(run) if run.other is None else aim_figures.aim_pictures(run),
        mesh=Plot("mesh", drawn["mesh"]["alt"]) if "mesh" in drawn else None,
        activation=Plot("activation", drawn["activation"]["alt"]),
        curves=_plots(curves),
        tunings=tunings,
        settings=_settings(run),
        data={"figures": drawn, "frames": frames},
    )


def _result(number: int, result: Result) -> ResultShown:
    figures = {f"result-{i}": figure for i, figure in enumerate(result.figures)}
    tunings, drawn = _tunings(result.tunings, "the scene")
    return ResultShown(number, result, _plots(figures), tunings, {"figures": figures | drawn, "frames": []})


def _tunings(
    every: Sequence[tuple[str, TuningResult]], whose: str = "this MEI"
) -> tuple[list[TuningShown], dict[str, dict[str, Any]]]:
    """Measurements of tuning, and their figures."""
    shown, drawn = [], {}
    for i, (_, tuning) in enumerate(every):
        figures = {f"tuning-{i}-{j}": figure for j, figure in enumerate(tuning_figures(tuning, whose))}
        drawn |= figures
        summaries = [neuron.summary for neuron in tuning.neurons if neuron.summary is not None]
        references = {each.selectivity.reference for each in summaries if each.selectivity.reference}
        shown.append(TuningShown(tuning, _plots(figures), summary_rows(tuning, whose), sorted(references)))
    return shown, drawn


def _plots(figures: dict[str, dict[str, Any]]) -> list[Plot]:
    return [Plot(key, figure["alt"]) for key, figure in figures.items()]


def _pictures(run: RunRecord) -> list[CaptionedPicture]:
    """The stimuli beside each other, then the renders."""
    what = words.maximised(run)
    found = words.found(run)
    captions = {
        "initial_stimulus": ("Start, as the neuron saw it", "the start", run.initial),
        "stimulus": (f"{found}, as the neuron saw it", f"the {found}", run.final),
        "pixel_stimulus": ("Pixel MEI, for comparison", "the pixel MEI", None),
        "initial_render": ("Render of the start", "", None),
        "render": (f"Render of the {found}", "", None),
    }
    shown = []
    for name, (caption, short, figure) in captions.items():
        if name not in run.pictures:
            continue
        value = words.number(run.pixel) if name == "pixel_stimulus" else words.with_error(figure)
        full = f"{caption}: {what} {value}" if short and value != "–" else caption
        alt = f"Grey-level image: {short}, as shown to the model." if short else f"{caption}, in its own light."
        shown.append(CaptionedPicture(run.pictures[name], full, alt))
    return shown


def _beside(run: RunRecord) -> tuple[str, str]:
    """What is shown beside the renders of an optimization, and its scale."""
    if not run.beside_is_difference:
        return words.beside(run), f"Stimuli: {run.grey_scale}."
    scale = "Differences of radiance, the mean over channels: black is −1, grey none, white +1."
    if isinstance(run.other, InverseResult):
        return words.beside(run), scale
    kept = "An earlier version kept these and no stimuli of the steps."
    return "Render less the reference’s: grey where there is no difference", f"{scale} {kept}"


def _scales(run: RunRecord) -> str:
    """How pictures were made to fit a display."""
    lines = [f"Renders are shown at exposure {run.exposure:.2g}."] if run.exposure < 0.995 else []
    grey = run.grey_scale
    if grey and not isinstance(run.other, InverseResult):
        lines.append(f"Stimuli: {grey}.")
        if run.frames and not run.beside_is_difference and not isinstance(run.other, DiverseResult):
            lines.append("The steps below have the same scale; summary.png does not show them, and may have another.")
    return " ".join(lines)


def _settings(run: RunRecord) -> list[tuple[str, str]]:
    """How the run was made; only what is known."""
    result = run.result
    variant, skipped = getattr(result, "variant", None), getattr(result, "skipped_steps", None)
    backend = f", variant {variant}" if variant else ""
    each = (
        "" if not (result.seconds and result.steps) else f" ({words.number(result.seconds / result.steps, 2)} s a step)"
    )
    settings = {
        "Run folder": run.place.name,
        "Model": run.model,
        "Neuron" if len(run.neurons) == 1 else "Neurons": ", ".join(map(str, run.neurons)),
        "Objective": run.objective,
        "Renderer": None if run.renderer is None else f"{words.rendered(run.renderer)}{backend}",
        "Steps": None if result.steps is None else f"{result.steps:,}",
        "Steps skipped": str(skipped) if skipped else None,
        "Time": None if result.seconds is None else f"{words.number(result.seconds, 3)} s{each}",
        "Seed": None if result.seed is None else str(result.seed),
        "Ended": result.ended,
        "Versions": ", ".join(f"{name} {version}" for name, version in result.versions.items()),
    }
    return [(name, value) for name, value in settings.items() if value]


def _further_text(run: RunRecord) -> str:
    """What else ``result.json`` says, as it is there."""
    return json.dumps(run.further, indent=2, ensure_ascii=False)
