"""Kinds of files and folders that a user may name, and the command for each."""

from __future__ import annotations

from pathlib import Path

from ..errors import UserError
from .experiment import Config
from .yaml.located import Located
from .yaml.text import read

__all__ = ["check_given_run", "check_given_scene", "check_scene", "check_sweep"]

SWEEPS, CARDS = ("axes",), ("module", "input", "parameters", "weights", "citation")
"""Keys that only such files have."""

RUNS = ("config.yaml", "result.json", "asked", "comparison.json", "factors.json", "tuning.json", "plan.json")
"""What is in folders that commands have written."""


def check_given_scene(path: Path) -> None:
    """Raise UserError where a scene file is asked for and a folder of results is named."""
    if path.is_dir() and any((path / name).exists() for name in RUNS):
        more = ""
        if (path / "config.yaml").is_file():
            more = f"; its scene file is {path / 'config.yaml'}"
        raise UserError(
            f"'{path}' is a folder of results, and a file is needed: 'resume {path}' goes on with what was "
            f"interrupted, 'report {path}' writes a page about what is finished{more}"
        )


def check_scene(path: Path, tree: Located) -> None:
    """Raise UserError where what should be a scene file is a sweep or a model card."""
    kind = _kind(tree)
    if kind == "sweep":
        raise UserError(f"{path}: this is a sweep file, no scene file; 'sweep {path}' does its runs")
    if kind == "card":
        raise UserError(
            f"{path}: this is a model card, no scene file; a scene file names it, as in model: {{card: {path}}}"
        )


def check_sweep(path: Path, tree: Located) -> None:
    """Raise UserError where what should be a sweep file says nothing, or is a scene or a model card."""
    if not tree.value:
        raise UserError(f"{path}: says nothing; a sweep file names a scene and axes, as in axes: {{neurons: 0-9}}")
    kind = _kind(tree)
    if kind == "scene":
        raise UserError(
            f"{path}: this is a scene file, no sweep; 'run {path}' optimizes it, and a sweep file names it and what is "
            f"varied, as in scene: {path}, axes: {{neurons: 0-9}}"
        )
    if kind == "card":
        raise UserError(f"{path}: this is a model card, no sweep; a scene file names it, as in model: {{card: {path}}}")


def check_given_run(path: Path) -> None:
    """Raise UserError where the folder of a run is asked for and a scene or sweep file is named."""
    if path.suffix.lower() not in (".yaml", ".yml") or not path.is_file():
        return
    if _kind(read(path)) == "sweep":
        raise UserError(
            f"{path}: this is a sweep file; the folder of a run is needed, and 'sweep {path}' does its runs"
        )
    if path.name == "config.yaml" and any((path.parent / name).exists() for name in RUNS[1:]):
        raise UserError(f"{path}: this is a run's scene file; its folder is needed, {path.parent}")
    raise UserError(f"{path}: this is a scene file; the folder of a run is needed, and 'run {path}' makes one")


def _kind(tree: Located) -> str | None:
    """``scene``, ``sweep`` or ``card``; None where a file's keys tell of none, or of several."""
    keys = set(tree.value) if isinstance(tree.value, dict) else set()
    scene = keys & {*Config.model_fields, "extends"}
    if keys & set(SWEEPS) and not scene:
        return "sweep"
    if keys & set(CARDS) and not scene:
        return "card"
    return "scene" if scene and not keys & {*SWEEPS, *CARDS, "scene"} else None
