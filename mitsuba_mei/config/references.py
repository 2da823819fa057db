"""The files that a scene file names: found, or said to be missing with a hint."""

from __future__ import annotations

import contextlib
import os
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError, nearest
from .fields import FilePathMarker, Part
from .yaml.change import with_value
from .yaml.located import Key, Located, locate, path_text

__all__ = ["CARDS", "files_of_cards", "named_files", "with_files"]

_PACKAGE = Path(__file__).resolve().parents[1]
_BESIDE_PACKAGE = (_PACKAGE, _PACKAGE.parent)
"""Where ``models/x.yaml`` is found in an installed package, and in a clone."""

CARDS = (("model", "card"), ("model", "validate"))
"""Where a card can be written in place."""


def named_files(part: Part, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """Every value that names a file, and its key."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        markers = [
            *field.metadata,
            *(arg for union in typing.get_args(field.annotation) for arg in typing.get_args(union)),
        ]
        if isinstance(value, Part):
            yield from named_files(value, (*key, name))
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, Part):
                    yield from named_files(item, (*key, name, index))
        elif isinstance(value, str) and any(isinstance(marker, FilePathMarker) for marker in markers):
            yield (*key, name), value


def with_files(tree: Located, named: Part, scene_folder: Path, defaults: Located) -> Located:
    """Replace every file name in the scene file by its absolute path.

    Raises
    ------
    UserError
        If there is none of a name; every such name is told.
    """
    missing = []
    for key, name in named_files(named):
        place = tree.at(key)
        folders = [folder for start in (place.folder, scene_folder) for folder in (start, *start.parents[:2])]
        folders += [Path.cwd(), *_BESIDE_PACKAGE]
        path = _first_file(name, folders)
        if path is None:
            missing.append(f"{place}: {path_text(key)}: there is no file '{name}'{_beside(name, folders)}")
            continue
        tree = with_value(tree, key, locate(str(path.resolve()), place), defaults)
    if missing:
        raise UserError(*missing)
    for key in CARDS:
        tree = _with_card_files(tree, key, scene_folder, defaults)
    return tree


def _first_file(name: str, folders: Sequence[Path]) -> Path | None:
    """The first file of that name."""
    name = os.path.expanduser(name)
    for folder in folders:
        with contextlib.suppress(OSError, ValueError):  # a name that no file can have
            if (folder / name).is_file():
                return folder / name
    return None


def _with_card_files(tree: Located, key: Key, scene_folder: Path, defaults: Located) -> Located:
    """A card that is written in place names its module and weights relative to the scene file."""
    card = _inside(tree, key)
    if card is None or not isinstance(card.value, dict):
        return tree
    for path in _card_files(card.plain()):
        named = _inside(card, path)
        file, colon, callable_ = named.value.rpartition(":") if path == ("module",) else (named.value, "", "")
        folders = (named.place.folder, scene_folder)
        target = _first_file(file, folders) if file else None
        if target is not None:
            value = locate(f"{target.resolve()}{colon}{callable_}", named.place)
            tree = with_value(tree, (*key, *path), value, defaults)
    return tree


def files_of_cards(tree: Located) -> Iterator[tuple[Key, str]]:
    """Files that inline cards name, with their keys; of a module with the callable in it."""
    for key in CARDS:
        card = _inside(tree, key)
        if card is not None and isinstance(card.value, dict):
            yield from (((*key, *path), _inside(card, path).value) for path in _card_files(card.plain()))


def _inside(tree: Located | None, key: Key) -> Located | None:
    for step in key:
        tree = None if tree is None else tree.child(step)
    return tree


def _card_files(card: dict[str, Any]) -> Iterator[Key]:
    """Keys of a card that name a file."""
    if isinstance(card.get("module"), str):
        yield ("module",)
    weights = card.get("weights")
    listed = [((), weights)] if not isinstance(weights, list) else [((i,), item) for i, item in enumerate(weights)]
    for index, item in listed:
        if isinstance(item, str):
            yield ("weights", *index)
        elif isinstance(item, dict) and isinstance(item.get("source"), str):
            yield ("weights", *index, "source")


def _beside(name: str, folders: Sequence[Path]) -> str:
    """A hint at a file of a similar name where ``name`` was looked for, or at what else is in the folder it names."""
    within, suffix = Path(name).parent, Path(name).suffix.lower()
    for folder in (folder / within for folder in folders):
        names = [file.name for file in folder.glob("*") if file.suffix.lower() == suffix]
        hint = nearest(Path(name).name, names, by=lambda file: Path(file).stem)
        if hint.startswith("did you mean") or (names and within != Path()):
            return f" (looked for in {folder}); {hint}"
    return "; it is looked for from the scene file's folder, the two above it and the working directory"
