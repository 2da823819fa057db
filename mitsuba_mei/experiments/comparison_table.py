"""All neurons of a comparison together: a row for each, and what they say as a whole."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..paired import bootstrap_median
from ..schema import RENDERERS

__all__ = ["comparison_row", "comparison_statistics", "write_rows"]

PATH, RASTER = RENDERERS

FAR = 3.0
"""Standard errors beyond which a difference is counted."""


def comparison_row(figures: Mapping[str, Any]) -> dict[str, Any]:
    """A neuron's ``comparison.json`` in flat columns; what it does not say is empty.

    ``path_mei_under_raster`` is the activation of the object that was optimised under ``path``, evaluated under
    ``raster``; ``_sem`` its standard error, ``_over_pixel`` its ratio to the pixel MEI.
    """
    row: dict[str, Any] = {name: figures[name] for name in ("scene", "folder", "model", "objective", "ended", "seed")}
    row["neurons"] = " ".join(map(str, figures["neurons"]))
    row["starts"] = None if figures["starts"] is None else figures["starts"][PATH]["n"]
    row |= {f"seconds_{made}": figures["seconds"].get(made) for made in RENDERERS}
    row["pixel"] = figures["pixel"]
    for made in RENDERERS:
        row |= _spread(f"initial_under_{made}", figures["initial"].get(made))
    row |= _cells(figures, "")
    for shown in RENDERERS:
        row |= _spread(f"gain_under_{shown}", (figures["gain"] or {}).get(shown))
        row |= _spread(f"path_less_raster_over_starts_under_{shown}", (figures["starts"] or {}).get(shown))
    row |= _prefixed("stimuli", figures["stimuli"], ("correlation", "rms_difference"))
    row |= _prefixed("transport", figures["transport"], RENDERERS, "_mei")
    row |= _prefixed("shape", figures["shape"], ("mean", "rms", "greatest", "relative", "rotation", "translation"))
    if figures["validation"] is not None:
        row["validation_pixel"] = figures["validation"]["pixel"]
        row |= _cells(figures["validation"], "validation_")
    for name, parameter in (figures["parameters"] or {}).items():
        difference = parameter["difference"]
        row[f"{name} [{difference['unit']}]"] = difference["value"]
    return row


def _cells(figures: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for made in RENDERERS:
        for shown in RENDERERS:
            name = f"{prefix}{made}_mei_under_{shown}"
            cells |= _spread(name, figures["activation"].get(made, {}).get(shown))
            over = figures["ratio_to_pixel"].get(made, {}).get(shown)
            cells[f"{name}_over_pixel"] = None if over is None else over["mean"]
    return cells


def _spread(name: str, value: Mapping[str, float] | None) -> dict[str, float | None]:
    mean, sem = (None, None) if value is None else (value["mean"], value["sem"])
    return {name: mean, f"{name}_sem": sem}


def _prefixed(prefix: str, values: Mapping[str, Any] | None, names: Sequence[str], suffix: str = "") -> dict[str, Any]:
    return {f"{prefix}_{name}{suffix}": (values or {}).get(name) for name in names}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of different columns as CSV; a cell that is unknown, or no finite number, is empty."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows({name: _said(value) for name, value in row.items()} for row in rows)


def _said(value: Any) -> Any:
    return "" if value is None or (isinstance(value, float) and not math.isfinite(value)) else value


def comparison_statistics(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Paired statistics over the neurons whose comparison is done.

    Returns
    -------
    dict
        ``neurons``, how many; ``gain``, by the renderer that shows, the median over neurons of what is gained by
        optimising under it, with its bootstrap interval; ``ratio_to_pixel``, medians of every cell; and ``apart``, how
        many neurons' two objects differ by more than three standard errors: of the renders (None where nothing is
        noisy), and of the differences over starts (of those with several).
    """
    done = [figures for figures in every if figures["ended"] == "done"]
    return {
        "neurons": len(done),
        "gain": {shown: _median([figures["gain"][shown] for figures in done]) for shown in RENDERERS},
        "ratio_to_pixel": {
            made: {shown: _median([figures["ratio_to_pixel"][made][shown] for figures in done]) for shown in RENDERERS}
            for made in RENDERERS
        },
        "apart": {shown: _apart(done, shown) for shown in RENDERERS},
    }


def _median(values: Sequence[Mapping[str, float] | None]) -> dict[str, float] | None:
    known = [value["mean"] for value in values if value is not None and math.isfinite(value["mean"])]
    return asdict(bootstrap_median(known)) if known else None


def _apart(done: Sequence[Mapping[str, Any]], shown: str) -> dict[str, dict[str, int] | None]:
    renders = []
    for figures in done:
        first, second = (figures["activation"][made][shown] for made in RENDERERS)
        renders.append((first["mean"] - second["mean"], math.hypot(first["sem"], second["sem"])))
    starts = [figures["starts"][shown] for figures in done]
    return {
        "of_renders": _counted(renders),
        "of_starts": _counted([(each["mean"], each["sem"]) for each in starts if each["n"] > 1]),
    }


def _counted(differences: Sequence[tuple[float, float]]) -> dict[str, int] | None:
    known = [(mean, sem) for mean, sem in differences if sem]
    return {"neurons": sum(abs(mean) > FAR * sem for mean, sem in known), "of": len(known)} if known else None
