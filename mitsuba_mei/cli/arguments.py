"""What the user wrote on the command line, as the option parser wants it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import UserError, nearest

__all__ = ["COMMANDS", "expand_arguments"]

COMMANDS = (
    "run",
    "resume",
    "pixel",
    "compare",
    "factors",
    "sweep",
    "evaluate",
    "tune",
    "report",
    "export",
    "check",
    "schema",
    "doctor",
)


FLAGS = ("--quiet", "-q", "--trust-code", "--relative")
"""Options without a value."""


def expand_arguments(arguments: Sequence[str]) -> list[str]:
    """What the user wrote, as the option parser wants it.

    ``run`` is put in where no command is named, and ``--free a b c`` and ``--free a,b,c`` become ``--free a --free b
    --free c``; the words end at the next option or at something that is a YAML file. So does ``--set a=1 b=2``, at the
    next word without an equals sign.
    """
    arguments = list(arguments) or ["--help"]
    first = arguments[0]
    if first not in (*COMMANDS, "--help", "--version"):
        if not first.startswith("-") and not Path(first).suffix and not Path(first).exists():
            raise UserError(f"'{first}' is neither a scene file nor a command; {nearest(first, COMMANDS)}")
        later = _later_command(arguments)
        if later is not None:
            raise UserError(f"the command comes first: {' '.join(shlex.quote(word) for word in later)}")
        arguments.insert(0, "run")
    expanded: list[str] = []
    option: str | None = None
    for word in [*_each_set(arguments), "--"]:
        ends = word.startswith("-") or word.lower().endswith((".yaml", ".yml"))
        if option is not None and ends:
            if expanded[-2:-1] != [option]:
                raise UserError(f"{option} needs at least one name, as in {option} pose lighting.0.direction")
            option = None
        name, equals, value = word.partition("=")
        if name in ("--free", "--frozen"):
            option, word = name, value
            if not equals:
                continue
        if option is None:
            expanded.append(word)
        else:
            expanded += [part for item in word.split(",") if item for part in (option, item)]
    expanded.pop()
    return expanded


def _later_command(arguments: Sequence[str]) -> list[str] | None:
    """The words with a command in front that was written after others; None where there is none."""
    for index, word in enumerate(arguments):
        before = arguments[index - 1] if index else ""
        value = before.startswith("-") and before not in FLAGS and "=" not in before
        if word in COMMANDS and not value and not Path(word).exists():
            return [word, *arguments[:index], *arguments[index + 1 :]]
    return None


def _each_set(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments with a ``--set`` of its own before every ``key=value``."""
    values = 0
    for word in arguments:
        if word == "--set":
            values = 1
        elif values == 1:
            values = 2
        elif values == 2 and "=" in word and not word.startswith("-"):
            yield "--set"
        else:
            values = 0
        yield word
