"""What is said of options that a command does not have: which setting or command was meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..arguments import COMMANDS
from ..schema import Config
from ..validation import fields_inside
from ..yaml_lines import path_text

__all__ = ["usage"]

FIRST = ("optimizer", "render", "model", "evaluate", "stimulus", "objective", "camera", "pose", "shape")
"""Sections of the scene file, those first that are meant most often."""

MEANT = {"render": "render.type", "renderer": "render.type", "iterations": "optimizer.steps"}
"""Settings that are asked for by another name."""

MOST = 2
"""Settings that are named."""


def usage(error: Any, arguments: Sequence[str] = ()) -> str:
    """What the option parser says; of an option that there is not, which setting or command was meant.

    Parameters
    ----------
    error : click.UsageError
    arguments : sequence of str
        What the user wrote.
    """
    said, option = error.format_message(), getattr(error, "option_name", None)
    if option is None or error.ctx is None:
        return said
    command, hints = error.ctx.command, []
    if _takes(command, "--set"):
        value = _value(option, arguments)
        hints += [f"--set {path}={value}" for path in _settings(option.lstrip("-").replace("-", "_"), command.name)]
        hints += [f"{option}s {value}"] * _takes(command, f"{option}s")
    if hints:
        return f"{error.message}; write {' or '.join(hints)}"
    root = error.ctx.find_root().command
    commands = getattr(root, "commands", {})
    having = [name for name in COMMANDS if name in commands and _takes(commands[name], option)]
    return f"{error.message}; it goes with {', '.join(having)}" if having else said


def _takes(command: Any, option: str) -> bool:
    return any(option in parameter.opts for parameter in command.params)


def _value(option: str, arguments: Sequence[str]) -> str:
    """What the user wrote behind it."""
    for word, after in zip(arguments, [*arguments[1:], "-"]):
        if word.startswith(f"{option}="):
            return word.partition("=")[2] or "..."
        if word == option and not after.startswith("-"):
            return after
    return "..."


def _settings(name: str, command: str) -> list[str]:
    """The keys of a scene file that are called so; those first that are meant most often."""
    if name in MEANT:
        return [MEANT[name]]
    first = ("pixel", *FIRST) if command == "pixel" else FIRST
    found = dict.fromkeys(path for path in fields_inside(Config) if path[-1] == name and path[0] in first)
    return [path_text(path) for path in sorted(found, key=lambda path: first.index(path[0]))][:MOST]
