"""What a folder of several runs comes to: comparisons of renderers, factors, sweeps, tunings and evaluations."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UserError
from ...runs.coalitions import FACTORS, SUBSETS, named
from ...runs.read import check_version
from ..sentences import comparison_rows, describe_comparison
from ..tables import describe_factors, subset_rows, worth_rows
from .files import read_json
from .numerals import RAISED, measured, number
from .places import MOST_RUNS, Place
from .record import RunRecord
from .result_figures import comparison_figures, evaluation_figure, factor_figures, spread_figure
from .spreads import NEURON, Group, groups_of_runs, read_sweep
from .tuning import Tuning, read_tuning
from .words import rendered

__all__ = ["Result", "Table", "read_result", "result_of_seeds"]


@dataclass(frozen=True)
class Table:
    """A table; the first ``texts`` columns are words, the others figures."""

    caption: str
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


@dataclass(frozen=True)
class Result:
    """A folder's result.

    Attributes
    ----------
    place : Place or None
        None of what runs that were named one by one come to together.
    title, lead : str
    sentences : tuple of str
        The most important first.
    tables : tuple of Table
    figures : tuple of dict
        As data for Plotly, with ``alt``.
    tunings : tuple of Tuning
    settings : tuple of (str, str)
    """

    place: Place | None
    title: str
    lead: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[dict[str, Any], ...] = ()
    tunings: tuple[Tuning, ...] = ()
    settings: tuple[tuple[str, str], ...] = field(default=())


def read_result(place: Place) -> Result:
    """Read what a folder comes to.

    Raises
    ------
    UserError
        If its file is damaged, or of a newer version.
    """
    for name, read in READERS.items():
        if (file := next(iter(sorted(place.folder.glob(name))), None)) is not None:
            try:
                return read(place, file)
            except (KeyError, TypeError, IndexError, AttributeError, ValueError):
                raise UserError(f"{file} is damaged, or of another version: it does not say what it should") from None
    raise UserError(f"{place.folder} holds no result of several runs")


def result_of_seeds(runs: Sequence[RunRecord]) -> Result | None:
    """What runs that differ in their seeds alone come to; None where there are no two of them."""
    groups = [group for group in groups_of_runs(runs) if len(group.values) > 1]
    if not groups:
        return None
    tables, figures = _spreads(groups)
    return Result(None, "Over seeds", "Runs that differ in nothing but their seeds.", (), tables, figures)


def _said(file: Path) -> dict[str, Any]:
    said = read_json(file)
    check_version(file.parent, {"versions": said.raw("versions")})
    return dict(said.items())


# ------------------------------------------------------------------------------------------------------ comparisons


def _comparison(place: Place, file: Path) -> Result:
    said = _said(file)
    whole = "statistics" in said
    every = said["neurons"] if whole else [_alone(said, place)]
    lead = (
        "Each neuron’s MEI was optimized path traced and rasterized, from the same starts, and each object was then "
        "shown under both renderers. The gain under a renderer is by how much the object that was optimized under it "
        "exceeds the other one there."
    )
    sentences = describe_comparison(place.folder, said)[:-1] if whole else []
    table = _table("Activations, and gains, of each neuron", *comparison_rows({**said, "neurons": every}))
    done = [each for each in every if each["ended"] == "done"]
    figures = comparison_figures(done) if done else []
    title = f"Path traced and rasterized: {_models(every)}"
    return Result(place, title, lead, _texts(sentences), (table,), tuple(figures), settings=_made(said))


def _alone(said: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """One neuron's file, as it stands in that of all."""
    neurons = ", ".join(map(str, said["neurons"]))
    return {**said, "label": f"neuron {neurons}", "folder": place.folder.name}


def _models(every: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(str(each["model"]) for each in every)) or "no neuron is done"


def _made(said: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    versions = said.get("versions") or {}
    made = {"Ended": said.get("ended"), "Versions": ", ".join(f"{name} {text}" for name, text in versions.items())}
    return tuple((name, str(value)) for name, value in made.items() if value)


# ---------------------------------------------------------------------------------------------------------- factors


def _factors(place: Place, file: Path) -> Result:
    said = _said(file)
    whole = "asked" in said
    every = said["neurons"] if whole else [_alone(said, place)]
    said = {"left_out": [], "asked": 1, **said, "neurons": every, "factors": list(FACTORS)}
    said["subsets"] = [named(subset) for subset in SUBSETS]
    lead = (
        "Each neuron’s MEI was optimized with every subset of shape, pose and light free, from the same starts. A "
        "factor’s Shapley value is its share of what all three gain: what it adds to the others, averaged over all "
        "orders in which they may be freed. ± is the standard error over starts."
    )
    worth = _table("What each factor is worth: gain in activation over the start", *worth_rows(said), texts=2)
    subsets = _table("Every subset of free factors", *subset_rows(said), texts=2)
    figures = factor_figures(every)
    title = f"What shape, pose and light are worth: {_models(every)}"
    sentences = _texts(describe_factors(place.folder, said)[:-1])
    return Result(place, title, lead, sentences, (worth, subsets), tuple(figures), settings=_made(said))


# ----------------------------------------------------------------------------------------------------------- sweeps


def _sweep(place: Place, file: Path) -> Result:
    sweep = read_sweep(file)
    counts = ", ".join(f"{count} {state}" for state, count in sweep.counts.items() if count)
    varied = " and ".join(
        f"{'neuron' if name == NEURON else name} ({count} values)" for name, count in sweep.axes.items()
    )
    lead = f"Runs of one scene in which {varied} {'was' if len(sweep.axes) == 1 else 'were'} varied: {counts}."
    if sweep.counts["done"] > MOST_RUNS:
        lead += f" The first {MOST_RUNS} are shown below; the table here has all."
    tables, figures = _spreads(sweep.groups)
    if sweep.failures:
        tables += (Table("Runs that failed", ("run", "reason"), sweep.failures, 2),)
    return Result(place, f"Sweep: {sweep.title}", lead, (), tables, figures)


def _spreads(groups: Sequence[Group]) -> tuple[tuple[Table, ...], tuple[dict[str, Any], ...]]:
    if not groups:
        return (), ()
    measure = groups[0].measure
    columns = {
        "runs": [str(len(group.values)) for group in groups],
        f"mean {measure}": [number(group.mean) for group in groups],
        "s.d. over seeds": [number(group.sd, 2) for group in groups],
        "lowest": [number(min(group.values)) for group in groups],
        "highest": [number(max(group.values)) for group in groups],
        "render s.e.": [number(group.sem, 2) for group in groups],
    }
    caption = (
        f"Final {measure} over seeds: s.d. is the standard deviation of runs that differ in their seeds alone; render "
        "s.e. is the standard error of one run’s figure over renders of the same scene (root mean square)"
    )
    if any(group.correlation is not None for group in groups):
        columns["correlation of stimuli"] = [number(group.correlation, 2) for group in groups]
        columns["distance of surfaces"] = [_percent(group.distance) for group in groups]
        caption += (
            "; how alike the MEIs are, in the mean of pairs of seeds: correlation of stimuli, and distance of surfaces "
            "over their radius"
        )
    titles = (*groups[0].names, *columns)
    rows = tuple((*group.labels, *figures) for group, figures in zip(groups, zip(*columns.values())))
    return (Table(caption, titles, rows, len(groups[0].names)),), (spread_figure(groups),)


def _percent(fraction: float | None) -> str:
    return "–" if fraction is None else f"{number(100 * fraction, 2)} %"


# ------------------------------------------------------------------------------------------- tunings and evaluations


def _tuning(place: Place, file: Path) -> Result:
    tuning = read_tuning(file)
    said = read_json(file)
    source = said.part("source").text("scene") or said.part("source").text("run")
    settings = {
        "Of": None if source is None else Path(source).name,
        "Model": tuning.model,
        "Seed": None if said.count("seed") is None else str(said.count("seed")),
        "Versions": ", ".join(f"{name} {text}" for name, text in said.part("versions").items()),
    }
    return Result(
        place,
        f"Tuning of {tuning.model or 'a model'}",
        "Responses while one or two numbers of a scene are varied, and all else stays.",
        tunings=(tuning,),
        settings=tuple((name, value) for name, value in settings.items() if value),
    )


def _evaluation(place: Place, file: Path) -> Result:
    rows, evaluated = [], []
    for path in sorted(place.folder.glob("evaluation-*.json")):
        said = read_json(path)
        activation, model = said.part("activation"), said.text("model") or "a model"
        source, renderer = Path(said.text("run") or "–").name, rendered(said.text("renderer"))
        figures = [activation.figure(when) for when in ("initial", "final")]
        rows.append((path.name, source, renderer, *map(measured, figures)))
        evaluated.append((f"{source}, {renderer}", *figures))
    table = Table(
        "What was evaluated; ± is the render s.e.", ("file", "run", "renderer", "start", "final"), tuple(rows), texts=3
    )
    lead = "The initial and the final scene of finished runs, evaluated once more."
    return Result(place, f"Evaluation: {model}", lead, tables=(table,), figures=(evaluation_figure(evaluated),))


READERS: dict[str, Callable[[Place, Path], Result]] = {
    "comparison.json": _comparison,
    "factors.json": _factors,
    "plan.json": _sweep,
    "tuning.json": _tuning,
    "evaluation-*.json": _evaluation,
}
"""By the file that tells the kind of a folder."""


def _table(caption: str, titles: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> Table:
    """A terminal's table; what a row leaves out there, since it is the last row's, is said here."""
    rows, last = [list(row) for row in rows], ""
    for row in rows:
        last = row[0] = row[0] or last
    return Table(
        caption,
        tuple(title.replace("\n", " ") for title in titles),
        tuple(tuple(_typeset(cell) or "–" for cell in row) for row in rows),
        texts,
    )


def _texts(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines of a terminal as sentences."""
    return tuple(_typeset(line[0].upper() + line[1:]).rstrip(".") + "." for line in lines if line)


def _typeset(text: str) -> str:
    """Minus signs, and powers of ten, as in the rest of a page."""
    text = re.sub(r"(?<=\d)e([+-]\d+)\b", lambda power: f"×10{str(int(power[1])).translate(RAISED)}", text)
    return re.sub(r"(?<![\w.)])-(?=\d)", "−", text)
