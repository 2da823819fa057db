"""The commands that only look: check, schema, doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from .. import __version__
from ..config.load import json_schema
from ..errors import UserError, about
from ..report.sentences import describe_config
from .options import Free, Frozen, SceneFile, Seed, Set, Trust, app, load

__all__: list[str] = []


@app.command()
def check(
    scene: SceneFile,
    overrides: Set = [],  # noqa: B006
    free: Free = [],  # noqa: B006
    frozen: Frozen = [],  # noqa: B006
    seed: Seed = None,
    trust: Trust = False,
) -> None:
    """Check a scene file and all that it names, without rendering. Model and meshes are included."""
    config = load(scene, overrides, free, frozen, seed, trust)
    from ..experiments.targets import check_targets
    from ..geometry.input_flaws import input_sentences
    from ..pipeline import check_files

    with about(scene):
        on_message = Console(stderr=True, soft_wrap=True).print
        built = check_files(config, on_message)
        check_targets(config.objective, config.render, config.trusts_code, on_message)
    mesh = [
        f"  {'' if number else 'mesh':9} {sentence}" for number, sentence in enumerate(input_sentences(built.template))
    ]
    print("\n".join([*describe_config(scene, config), *mesh]))


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="Write to a file instead of the terminal.")] = None,
) -> None:
    """Print the scene file's JSON schema, from which editors complete."""
    text = json.dumps(json_schema(), indent=2)
    if out is None:
        print(text)
        return
    try:
        with open(out, "x", encoding="utf-8") as file:
            file.write(text + "\n")
    except FileExistsError:
        raise UserError(f"--out {out}: exists already, and is not overwritten; choose another name") from None
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror}") from None


@app.command()
def doctor() -> None:
    """Show what was found here: versions, variant, LLVM, threads, GPU."""
    from ..render.backend import describe

    report = describe()
    problem = report.pop("problem")
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in {"mitsuba_mei": __version__, **report}.items():
        table.add_row(name.replace("_", " "), "none" if value is None else str(value))
    Console(soft_wrap=True).print(table)
    if problem:
        raise UserError(problem)
