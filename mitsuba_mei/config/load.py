"""The scene file: read, extended, overridden from the command line, checked, and written back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import Place, UserError, nearest
from ..io.files import named_from
from .experiment import Config
from .file_kinds import check_given_scene, check_scene
from .groups import SceneSettings
from .quantities import freeable_names
from .references import files_of_cards, named_files, with_files
from .validation import validate
from .yaml.change import merge, with_value
from .yaml.located import Key, Located, locate, path_text
from .yaml.text import parse, read, write

__all__ = ["Config", "SceneText", "dump", "free_parameters", "freeable_parameters", "json_schema", "load_config"]

_GROUPS = ("shape", "pose", "camera", "lighting", "material")


def load_config(
    path: Path | str,
    overrides: Sequence[str] = (),
    free: Sequence[str] = (),
    frozen: Sequence[str] = (),
    rendered: bool = True,
    trust_code: bool = False,
) -> Config:
    """A scene file, varied.

    Parameters
    ----------
    path : Path or str
        The scene file. ``extends: other.yaml`` in it starts from another one, relative to it: mappings are merged key
        by key, lists and mappings of another ``type`` replaced.
    overrides : sequence of str
        ``a.b=c``, c being YAML, list items by index: ``lighting.0.irradiance=2``. A mapping or list is replaced whole,
        and a new ``type`` starts from that type's defaults.
    free, frozen : sequence of str
        Parameters to free, then to freeze: one (``pose.rotation``, ``lighting.0.direction``), or all of a group
        (``pose``, ``lighting``, ``lighting.0``).
    rendered : bool
        Whether the scene is to be optimized; then something must be free.
    trust_code : bool
        Whether code that a model card names (``module: file.py:callable``) may be run. Only the user can say so: it is
        neither read from files nor written into them.

    Returns
    -------
    Config
        Every value in place; files that it names exist, their paths absolute.

    Raises
    ------
    UserError
        If a file cannot be read, something in it or in the other arguments does not fit the schema, a file that it
        names does not exist, or nothing is left free to optimize.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.load_config("scenes/quickstart.yaml", ["render.spp=8"]).render.spp
    8
    """
    return SceneText(path, overrides, trust_code=trust_code).config((), free, frozen, rendered)


class SceneText:
    """A scene file that is read once, to be varied many times.

    Parameters
    ----------
    path, overrides
        As for :func:`load_config`.
    settings : sequence of (Key, Located)
        Values that another file says, before the overrides.
    trust_code : bool
        As for :func:`load_config`.
    mapping : mapping, optional
        What such a file says, in place of one; ``path`` is then a name for messages, in whose folder files are looked
        for.

    Raises
    ------
    UserError
        If it cannot be read, or an override leads nowhere.
    """

    def __init__(
        self,
        path: Path | str,
        overrides: Sequence[str] = (),
        settings: Sequence[tuple[Key, Located]] = (),
        trust_code: bool = False,
        mapping: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self.trust_code = trust_code
        self._tree = (
            _read_scene(self.path, None, ()) if mapping is None else locate(mapping, Place(str(path), Path.cwd()))
        )
        self._defaults = locate(Config().model_dump(), self._tree.place)
        for key, value in settings:
            self._tree = _with_setting(self._tree, key, value, self._defaults)
        for override in overrides:
            self._tree = _override(self._tree, override, self._defaults)

    def config(
        self,
        settings: Sequence[tuple[Key, Located]] = (),
        free: Sequence[str] = (),
        frozen: Sequence[str] = (),
        rendered: bool = True,
    ) -> Config:
        """The configuration with these values at these keys; the rest as for :func:`load_config`."""
        tree, defaults = self._tree, self._defaults
        for key, value in settings:
            tree = _with_setting(tree, key, value, defaults)
        config = validate(Config, tree)
        if free or frozen:
            for name in (*free, *frozen):
                _parameters(config.scene, name, "--free" if name in free else "--frozen")
            tree = _freed(tree, config.scene, free, frozen, defaults)
            config = validate(Config, tree)
        tree = with_files(tree, config, self.path.resolve().parent, defaults)
        config = validate(Config, tree)
        if rendered and config.optimizer.steps and not free_parameters(config.scene):
            raise UserError(
                f"{self.path}: nothing is free, so there is nothing to optimize; free a parameter, as in shape: "
                "{free: [offsets]}, or set optimizer.steps to 0"
            )
        return config.trusting_code(self.trust_code)


def free_parameters(scene: SceneSettings) -> tuple[str, ...]:
    """Names of the free parameters: ``("shape.offsets", "lighting.0.direction")``."""
    return tuple(path_text((*key, name)) for key, part in _freeable_parts(scene) for name in part.free)


def freeable_parameters(scene: SceneSettings) -> tuple[str, ...]:
    """Names of all parameters that can be free, as the names of :func:`free_parameters`."""
    return tuple(path_text((*key, name)) for key, part in _freeable_parts(scene) for name in freeable_names(type(part)))


def dump(config: Config, folder: Path | None = None) -> str:
    """The configuration as a scene file, complete: :func:`load_config` reads it back equal.

    Parameters
    ----------
    config : Config
        What to write.
    folder : Path, optional
        Where it will lie; files are then named relative to it, so that a run can be moved together with what it used;
        but from ``~`` where it lies outside the user's home and they do not.
    """
    tree = locate(config.model_dump(), Place("", Path()))
    if folder is not None:
        for key, path in (*named_files(config), *files_of_cards(tree)):
            if os.path.isabs(path):
                tree = with_value(tree, key, locate(named_from(folder, path), tree.place))
    return write(tree.plain())


def json_schema() -> dict[str, Any]:
    """The scene file's JSON schema, from which editors complete and check."""
    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "mitsuba_mei scene file"
    extends = {"type": "string", "description": "Another scene file to start from, relative to this one."}
    schema["properties"] = {"extends": extends, **schema["properties"]}
    return schema


# --------------------------------------------------------------------------------------------------------- reading


def _read_scene(path: Path, named_at: Place | None, chain: tuple[Path, ...]) -> Located:
    if named_at is None:
        check_given_scene(path)
    tree = read(path, named_at)
    real = path.resolve()
    if real in chain:
        raise UserError(f"{named_at}: extends: '{path}' extends itself, directly or through others; break the circle")
    if not isinstance(tree.value, dict) and tree.value is not None:
        raise UserError(f"{tree.place}: a scene file is a mapping, lines such as 'seed: 0'; this is none")
    if tree.value is None:
        raise UserError(
            f"{path}: says nothing: there is no scene in it; a scene file names a model at least, as in "
            "model: {card: models/v4_curvature.yaml, neuron: 25}"
        )
    check_scene(path, tree)
    if _says_more(tree.child("objective")) and _names(tree, ("objective", "neurons")):
        tree = _without_models_neurons(tree)
    extends = tree.value.get("extends")
    if extends is None:
        return tree
    own = Located({key: value for key, value in tree.value.items() if key != "extends"}, tree.place)
    if not isinstance(extends.value, str) or not extends.value:
        raise UserError(f"{extends.place}: extends: must be the name of another scene file")
    base = path.parent / extends.value
    below = _read_scene(base, extends.place, (*chain, real))
    return merge(_without_models_neurons(below) if _names(own, ("objective", "neurons")) else below, own)


def _override(tree: Located, override: str, defaults: Located) -> Located:
    place = Place(f"--set {override}", Path.cwd())
    name, equals, text = override.partition("=")
    key = name.strip().split(".")
    if not equals or not all(key):
        raise UserError(f"{place}: must read key=value, as in --set render.spp=64")
    return _with_setting(tree, key, parse(text, place, numbered=False), defaults)


def _with_setting(tree: Located, key: Sequence[str | int], value: Located, defaults: Located) -> Located:
    """A value that is said later than those in the tree; where it names the objective's neurons, model's give way."""
    tree = with_value(tree, key, value, defaults)
    named = tuple(key) == ("objective", "neurons") or (tuple(key) == ("objective",) and _names(value, ("neurons",)))
    return _without_models_neurons(tree) if named else tree


def _names(tree: Located | None, key: Sequence[str]) -> bool:
    """Whether something is written at a key."""
    for step in key:
        tree = None if tree is None else tree.child(step)
    return tree is not None and tree.value is not None


def _without_models_neurons(tree: Located) -> Located:
    """The scene file without ``model.neuron`` and ``model.neurons``, but where an option says them."""
    model = tree.child("model") if isinstance(tree.value, dict) else None
    if model is None or not isinstance(model.value, dict):
        return tree
    kept = {
        name: value
        for name, value in model.value.items()
        if name not in ("neuron", "neurons") or value.place.source.startswith("--set")
    }
    return Located({**tree.value, "model": Located(kept, model.place)}, tree.place)


def _says_more(objective: Located | None) -> bool:
    """Whether an objective is another one than one neuron's response; its own neurons are meant then."""
    if objective is None or not isinstance(objective.value, dict):
        return False
    kind = objective.child("type")
    return (kind is not None and kind.value != "activation") or _names(objective, ("weights",))


# ------------------------------------------------------------------------------------------------- free and frozen


def _freeable_parts(scene: SceneSettings) -> Iterator[tuple[Key, Any]]:
    """Everything that has a ``free`` list, and its key."""
    for group in _GROUPS:
        part = getattr(scene, group)
        if isinstance(part, tuple):
            yield from (((group, index), item) for index, item in enumerate(part))
        else:
            yield (group,), part


def _parameters(scene: SceneSettings, name: str, option: str) -> set[tuple[Key, str]]:
    """The parameters that a name or the name of a group stands for."""
    known: dict[str, set[tuple[Key, str]]] = {}
    for key, part in _freeable_parts(scene):
        every = {(key, parameter) for parameter in freeable_names(type(part))}
        for depth in range(1, len(key) + 1):
            known.setdefault(path_text(key[:depth]), set()).update(every)
        for parameter in freeable_names(type(part)):
            known[path_text((*key, parameter))] = {(key, parameter)}
    if name not in known:
        inside = [other for other in known if other.startswith(f"{name.rpartition('.')[0]}.")]
        raise UserError(f"{option} {name}: there is no such parameter; {nearest(name, inside or known)}")
    return known[name]


def _freed(
    tree: Located, scene: SceneSettings, free: Sequence[str], frozen: Sequence[str], defaults: Located
) -> Located:
    freed = set().union(*(_parameters(scene, name, "--free") for name in free))
    kept = set().union(*(_parameters(scene, name, "--frozen") for name in frozen))
    place = Place("--free and --frozen", Path.cwd())
    for key, part in _freeable_parts(scene):
        names = [
            name
            for name in freeable_names(type(part))
            if (name in part.free or (key, name) in freed) and (key, name) not in kept
        ]
        tree = with_value(tree, (*key, "free"), locate(names, place), defaults)
    return tree
