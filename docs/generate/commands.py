"""The command line: each command with its arguments and options, from the program itself."""

from __future__ import annotations

import inspect
from typing import Any

import typer

from mitsuba_mei.cli import main as _registers_all  # noqa: F401
from mitsuba_mei.cli.arguments import COMMANDS
from mitsuba_mei.cli.options import app

from .markdown import code, field_table, section, text

__all__ = ["commands", "parameters"]


def commands() -> str:
    """A section a command, in the order of the program's help."""
    return "\n".join(_section(name, command) for name, command in parameters().items())


def parameters() -> dict[str, Any]:
    """The commands by name, in the order of the program's help."""
    group = typer.main.get_command(app)
    return {name: group.commands[name] for name in COMMANDS}


def _section(name: str, command: Any) -> str:
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join([name, *(each.metavar or each.name.upper() for each in arguments)])
    needed = "".join(f" {each.opts[0]} {each.metavar or each.name.upper()}" for each in options if each.required)
    line = f"python run.py {usage}{needed}{' [OPTIONS]' * bool(options)}"
    body = [text(inspect.cleandoc(command.help or "")), f"```\n{line}\n```"]
    rows = [(code(each.metavar or each.name.upper()), text(getattr(each, "help", None) or "")) for each in arguments]
    rows += [(_name(each), text(each.help or "")) for each in options]
    if rows:
        body.append(field_table(("argument or option", "meaning"), rows, (35, 65)))
    return section(code(name), f"command-{name}", 3, "\n\n".join(body))


def _name(option: Any) -> str:
    names = ", ".join(map(code, option.opts))
    if option.is_flag:
        return names
    return f"{names} {code(option.metavar or option.name.upper())}"
