"""MyST Markdown: text, and tables whose rows become blocks on a narrow screen."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["code", "field_table", "section", "text"]

CODE = re.compile(r"(``.+?``|:\w+:`[^`]+`|`[^`]+`)")


def code(value: str) -> str:
    """A literal."""
    return f"`{value}`"


def text(value: str) -> str:
    """Plain text or a docstring's line as Markdown; literals stay literal, references become the name's last part."""
    parts = CODE.split(" ".join(value.split()))
    return "".join(_literal(part) if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _literal(part: str) -> str:
    name = re.sub(r"^:\w+:", "", part).strip("`")
    return code(name.rsplit(".", 1)[-1] if part.startswith(":") else name)


def _escaped(part: str) -> str:
    return re.sub(r"([\\*_<>\[\]|])", r"\\\1", part)


def section(title: str, target: str, level: int, body: str = "") -> str:
    """A heading that other pages can refer to by ``target``, and what stands below it."""
    return f"({target})=\n\n{'#' * level} {title}\n\n{body}".rstrip() + "\n"


def field_table(header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> str:
    """A table of keys; each cell is Markdown on one line."""
    lines = [":::{list-table}", ":header-rows: 1", ":class: fields", f":widths: {' '.join(map(str, widths))}", ""]
    for row in (header, *rows):
        lines += [f"{'* -' if index == 0 else '  -'} {cell}".rstrip() for index, cell in enumerate(row)]
    return "\n".join([*lines, ":::", ""])
