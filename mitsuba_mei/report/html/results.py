"""What a folder of several runs comes to: comparisons of renderers, factors, sweeps, tunings and evaluations."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...errors import UserError
from ...runs.results import (
    ComparedNeuron,
    ComparisonResult,
    EvaluationResult,
    FactorsNeuron,
    FactorsResult,
    PopulationResult,
    TuningResult,
)
from ...runs.results import (
    Result as AnyOne,
)
from ...runs.results import (
    read_result as read_file,
)
from ...runs.results.files import read_population
from ...runs.results.populations import Neuron
from ..numbers import RAISED, measured, number
from ..sentences import comparison_rows, describe_comparison
from ..tables import describe_factors, subset_rows, worth_rows
from .places import MAX_RUNS, Place
from .record import RunRecord
from .result_figures import comparison_figures, evaluation_figure, factor_figures, spread_figure
from .spreads import NEURON, Group, groups_of_runs, read_sweep
from .words import rendered

__all__ = ["Result", "Table", "read_result", "result_of_seeds"]


AnyNeuron = TypeVar("AnyNeuron", bound=Neuron)


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
    tunings : tuple of (str, TuningResult)
        By the names of their folders.
    settings : tuple of (str, str)
    """

    place: Place | None
    title: str
    lead: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    figures: tuple[dict[str, Any], ...] = ()
    tunings: tuple[tuple[str, TuningResult], ...] = ()
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
            except UserError:
                raise
            except (KeyError, TypeError, ValueError, ArithmeticError):
                raise UserError(f"{file} is damaged, or of another version: it does not say what it should") from None
    raise UserError(f"{place.folder} holds no result of several runs")


def result_of_seeds(runs: Sequence[RunRecord]) -> Result | None:
    """What runs that differ in their seeds alone come to; None where there are no two of them."""
    groups = [group for group in groups_of_runs(runs) if len(group.values) > 1]
    if not groups:
        return None
    tables, figures = _spreads(groups)
    return Result(None, "Over seeds", "Runs that differ in nothing but their seeds.", (), tables, figures)


# ------------------------------------------------------------------------------------------------------ comparisons


def _comparison(place: Place, file: Path) -> Result:
    result = read_population(file, ComparisonResult, ComparedNeuron)
    whole = isinstance(result, ComparisonResult)
    neurons = result.neurons if whole else (_alone(result, place),)
    lead = (
        "Each neuron’s MEI was optimized path traced and rasterized, from the same starts, and each object was then "
        "shown under both renderers. The gain under a renderer is by how much the object that was optimized under it "
        "exceeds the other one there."
    )
    sentences = describe_comparison(place.folder, result)[:-1] if whole else []
    table = _table("Activations, and gains, of each neuron", *comparison_rows(neurons))
    done = [each for each in neurons if each.ended == "done"]
    figures = comparison_figures(done) if done else []
    title = f"Path traced and rasterized: {_models(neurons)}"
    return Result(place, title, lead, _texts(sentences), (table,), tuple(figures), settings=_made(result))


def _alone(neuron: AnyNeuron, place: Place) -> AnyNeuron:
    """One neuron's result, as it stands in that of all."""
    label = f"neuron {', '.join(map(str, neuron.neurons))}"
    return neuron.model_copy(update={"label": label, "folder": place.folder.name})


def _models(neurons: Sequence[Neuron]) -> str:
    return ", ".join(dict.fromkeys(each.model for each in neurons)) or "no neuron is done"


def _made(result: PopulationResult | Neuron) -> tuple[tuple[str, str], ...]:
    return (("Ended", result.ended), *_versions(result))


def _versions(result: AnyOne) -> tuple[tuple[str, str], ...]:
    versions = ", ".join(f"{name} {text}" for name, text in result.versions.items())
    return (("Versions", versions),) if versions else ()


# ---------------------------------------------------------------------------------------------------------- factors


def _factors(place: Place, file: Path) -> Result:
    result = read_population(file, FactorsResult, FactorsNeuron)
    if isinstance(result, FactorsNeuron):
        one = _alone(result, place)
        result = FactorsResult(ended=one.ended, neurons=(one,), versions=one.versions)
    lead = (
        "Each neuron’s MEI was optimized with every subset of shape, pose and light free, from the same starts. A "
        "factor’s Shapley value is its share of what all three gain: what it adds to the others, averaged over all "
        "orders in which they may be freed. ± is the standard error over starts."
    )
    worth = _table("What each factor is worth: gain in activation over the start", *worth_rows(result.neurons), texts=2)
    subsets = _table("Every subset of free factors", *subset_rows(result.neurons), texts=2)
    figures = factor_figures(result.neurons)
    title = f"What shape, pose and light are worth: {_models(result.neurons)}"
    sentences = _texts(describe_factors(place.folder, result)[:-1])
    return Result(place, title, lead, sentences, (worth, subsets), tuple(figures), settings=_made(result))


# ----------------------------------------------------------------------------------------------------------- sweeps


def _sweep(place: Place, file: Path) -> Result:
    sweep = read_sweep(file)
    counts = ", ".join(f"{count} {state}" for state, count in sweep.counts.items() if count)
    varied = " and ".join(
        f"{'neuron' if name == NEURON else name} ({count} values)" for name, count in sweep.axes.items()
    )
    lead = f"Runs of one scene in which {varied} {'was' if len(sweep.axes) == 1 else 'were'} varied: {counts}."
    if sweep.counts["done"] > MAX_RUNS:
        lead += f" The first {MAX_RUNS} are shown below; the table here has all."
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
    tuning = read_file(file, TuningResult)
    source = tuning.source.scene or tuning.source.run
    settings = {
        "Of": None if source is None else Path(source).name,
        "Model": tuning.model,
        "Seed": None if tuning.seed is None else str(tuning.seed),
    }
    return Result(
        place,
        f"Tuning of {tuning.model or 'a model'}",
        "Responses while one or two numbers of a scene are varied, and all else stays.",
        tunings=((place.folder.name, tuning),),
        settings=(*((name, value) for name, value in settings.items() if value), *_versions(tuning)),
    )


def _evaluation(place: Place, file: Path) -> Result:
    rows, evaluated, model = [], [], ""
    for path in sorted(place.folder.glob("evaluation-*.json")):
        result = read_file(path, EvaluationResult)
        source, renderer, model = Path(result.run or "–").name, rendered(result.renderer), result.model or "a model"
        figures = map(measured, (result.activation.initial, result.activation.final))
        rows.append((path.name, source, renderer, *figures))
        evaluated.append((f"{source}, {renderer}", result))
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
