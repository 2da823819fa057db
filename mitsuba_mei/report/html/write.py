"""Finished runs as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from ...errors import UserError
from ...io.files import make_writable, take_name, write_whole
from .page import page_of
from .places import MAX_RUNS, Place, find_results, find_runs
from .reading import read_run_folder
from .results import read_result, result_of_seeds

__all__ = ["MAX_RUNS", "Place", "write_page", "write_report"]


def write_report(runs: Sequence[Path], out: Path | None = None) -> Path:
    """Write a report of one run, or one that compares several.

    Parameters
    ----------
    runs : sequence of Path
        Run folders, and folders of ``compare``, ``factors``, ``sweep``, ``tune`` and ``evaluate``: their results come
        first, and their runs are taken in.
    out : Path, optional
        The HTML file, a new one. By default ``report.html`` in the folder where a single one is named, else
        ``runs/report-<first run>-<number>.html``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    UserError
        If a folder holds no finished run, is incomplete, damaged, of a newer version or named twice, or the file
        exists or cannot be written.
    """
    if out is not None and out.exists():
        raise UserError(f"--out {out} exists already, and is not overwritten; choose another name")
    places, results = find_runs(runs), find_results(runs)
    if out is not None:
        return write_page(places, out, results)
    text = _text(places, results)
    return _write(text, take_name(_names(Path(runs[0]), len(runs))))


def write_page(places: Sequence[Place], target: Path, results: Sequence[Place] = ()) -> Path:
    """Write a report of these runs, and of what these folders come to, into a file; one that is there is replaced.

    Raises
    ------
    UserError
        If one holds no finished run, is incomplete, damaged or of a newer version, or the file cannot be written.
    """
    text = _text(places, results)
    make_writable(target.parent)
    return _write(text, target)


def _text(places: Sequence[Place], results: Sequence[Place]) -> str:
    records, shared_results = [read_run_folder(place) for place in places], [read_result(place) for place in results]
    if not shared_results and (seeds := result_of_seeds(records)) is not None:
        shared_results.append(seeds)
    return page_of(records, shared_results)


def _write(text: str, target: Path) -> Path:
    return write_whole(target, lambda path: path.write_text(text, encoding="utf-8"))


def _names(first: Path, count: int) -> Iterator[Path]:
    """What a report without a name may be called."""
    if count == 1:
        yield first / "report.html"
        yield from (first / f"report-{number:03d}.html" for number in itertools.count(2))
    yield from (Path("runs") / f"report-{first.resolve().name}-{number:03d}.html" for number in itertools.count(1))
