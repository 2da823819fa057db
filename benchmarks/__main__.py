"""``python -m benchmarks [NAME...] [--out DIR]``."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from mitsuba_mei.errors import UserError, nearest

from .report import Report

BENCHMARKS = {
    "iteration": "one iteration against Mitsuba's tutorials and against prb: time and memory",
    "time_to_target": "time to 0.9 of a simple cell's optimum, against Mitsuba's tutorials",
    "flat": "time a step and memory over 500 steps",
    "bank": "twelve simple cells and a complex one: what is reached, and the meshes",
    "macaque_v1": "twelve neurons of the macaque V1 model: 3D MEIs over pixel MEIs",
    "gradients": "the renderer's gradients against finite differences",
    "readout": "one neuron of a published V4 model's format against all of its 1244",
    "raster_parity": "the rasterizer's images and coverage against the path tracer and closed forms",
    "raster_gradients": "the rasterizer's gradients against finite differences",
    "raster_speed": "the rasterizer's time against the path tracer and a plain soft rasterizer",
    "report_size": "a report of fifty runs: its size, and the time to open it in a browser",
    "inverse": "shape from four views, turn and sun from one: how near inverse rendering comes to the truth",
    "unlike": "diverse scenes of a complex and a simple cell, and metamers of a V4 population",
    "tuning": "preferred values of tuning curves against closed forms, and the coverage of their errors",
    "resume": "a run that is killed twenty times and goes on against an undisturbed one, byte for byte",
    "interrupts": "Ctrl-C at twenty random moments of a run: when it ends, its exit code, and what is kept",
    "sweep": "sixty runs on workers that are killed, two workers against one, and a worker's memory",
    "parts": "regularizers, model, assessment and distance of meshes over an iteration's time",
    "samples": "the best split of the gradient's samples",
}
HELP = "Measure. Without names, everything:\n\n" + "\n\n".join(f"{name}: {what}" for name, what in BENCHMARKS.items())

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Which; all where none is named.")]
Out = Annotated[Path, typer.Option(help="Folder for the figures as JSON, and pictures.")]


def main(names: Names = [], out: Out = Path("runs/benchmarks")) -> None:  # noqa: B006 (typer reads it, nobody changes it)
    for name in names:
        if name not in BENCHMARKS:
            print(f"error: there is no benchmark '{name}'; {nearest(name, BENCHMARKS)}", file=sys.stderr)
            raise typer.Exit(2)
    if len(names) != 1:
        # A process each, so that none inherits another's memory.
        failed = [name for name in names or BENCHMARKS if subprocess.call(_command(name, out))]
        if failed:
            print(f"error: failed: {', '.join(failed)}", file=sys.stderr)
            raise typer.Exit(1)
        return
    (name,) = names
    torch.set_num_threads(1)  # the tensors are small, and Dr.Jit has threads of its own
    try:
        report = Report(name, out, Console(width=None if sys.stdout.isatty() else 120))
        import_module(f"benchmarks.{name}").run(report)
        report.save()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _command(name: str, out: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks", name, "--out", str(out)]


if __name__ == "__main__":
    main.__doc__ = HELP
    typer.run(main)
