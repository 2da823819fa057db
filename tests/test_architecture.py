"""The rules of the house, read off the imports: rooms use what stands left of them, and libraries stay in their rooms."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mitsuba_mei"

ORDER = [
    {"errors"},
    {"interrupts"},
    {"io"},
    {"config"},
    {"stimulus", "objectives", "geometry"},
    {"regularizers", "scene"},
    {"render", "neurons"},
    {"pipeline"},
    {"optimize"},
    {"runs"},
    {"report"},
    {"experiments"},
    {"sweep"},
    {"api"},
    {"cli"},
    {"__main__"},
]
"""Rooms and modules of the root; each uses nothing to its right. ``__init__`` names what is public, and loads nothing."""

PRIVATE = {
    "mitsuba": ("render.path", "render.backend", "io"),
    "drjit": ("render.path", "render.backend", "io"),
    "typer": ("cli",),
    "rich": ("cli", "io.web"),
    "matplotlib": ("report.figures.style",),
    "dask": ("sweep",),
    "distributed": ("sweep",),
    "yaml": ("config.yaml",),
    "pooch": ("io.web",),
}
"""Libraries, and the rooms that may import them."""

WITHOUT_TORCH = ("errors", "interrupts", "config", "io")

ROOT_FILES = 9

WHOLE = 20
"""Functions that may take the whole configuration."""


def modules(package: Path = PACKAGE) -> dict[str, Path]:
    """Every module by its name within the package."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


def imports(name: str, path: Path, known: Mapping[str, Path]) -> Iterator[tuple[str, bool]]:
    """What a module imports: ``.room.module`` or the name of a library, and whether when it is imported itself."""
    parts = name.split(".")
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node, at_once in _statements(path.read_text(encoding="utf-8")):
        if isinstance(node, ast.Import):
            yield from ((each.name.partition(".")[0], at_once) for each in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0], at_once
        elif isinstance(node, ast.ImportFrom):
            base = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
            for each in node.names:
                inner = ".".join([*base, each.name])
                yield "." + (inner if inner in known else ".".join(base) or "__init__"), at_once


@functools.cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


@functools.cache
def _statements(text: str) -> list[tuple[ast.Import | ast.ImportFrom, bool]]:
    """All imports of a text, and whether each is done when the text itself is imported."""
    found, left = [], [(_parsed(text), True)]
    while left:
        node, at_once = left.pop()
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append((node, at_once))
        inside = at_once and not _is_later(node)
        left += [(each, inside) for each in ast.iter_child_nodes(node)]
    return found


def _is_later(node: ast.AST) -> bool:
    """Functions, and what only a type checker reads."""
    guarded = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return guarded or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def climbs(package: Path = PACKAGE) -> list[str]:
    """Imports that go right."""
    place = {room: index for index, rooms in enumerate(ORDER) for room in rooms}
    known, found = modules(package), []
    for name, path in known.items():
        if name == "__init__":
            continue
        room = name.partition(".")[0]
        for target, _ in imports(name, path, known):
            other = target[1:].partition(".")[0]
            if not target.startswith(".") or other in (room, "__init__"):
                continue
            if place[other] >= place[room]:
                found.append(f"{name} imports {target}")
    return found


def strangers(package: Path = PACKAGE) -> list[str]:
    """Libraries that are imported outside their rooms."""
    known = modules(package)
    return [
        f"{name} imports {target}"
        for name, path in known.items()
        for target, _ in imports(name, path, known)
        if target in PRIVATE and not any(f"{name}.".startswith(f"{room}.") for room in PRIVATE[target])
    ]


def torch_at_once(package: Path = PACKAGE) -> list[str]:
    """Modules of torch-free rooms that load torch when they are imported."""
    known = modules(package)
    return [
        name
        for name, path in known.items()
        if name.partition(".")[0] in WITHOUT_TORCH and ("torch", True) in imports(name, path, known)
    ]


def circles(package: Path = PACKAGE) -> list[str]:
    """Modules that import each other when they are imported, a line for each circle."""
    known = modules(package)
    graph = {
        name: {target[1:] for target, at_once in imports(name, path, known) if at_once and target[1:] in known}
        for name, path in known.items()
        if name != "__init__"
    }
    found, done = [], set()

    def visit(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in done:
            for other in sorted(graph.get(name, ())):
                visit(other, [*way, name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


UNIONS = {"Emitter": "lights", "Material": "materials", "Template": "templates"}
"""The schema's unions in config/scene.py, and what they are of."""

ROOMS = {
    "lights": ("scene.distant_emitters.DISTANT_EMITTERS", "scene.local_emitters.LOCAL_EMITTERS"),
    "materials": ("scene.material.MATERIALS",),
    "templates": ("geometry.mesh._template_of",),
}
"""Where everything of a union is listed."""

RENDERERS = {
    "scene.local_emitters.LOCAL_EMITTERS": ("render.path.lights.LIGHTS", "render.raster.lights.LIGHTS"),
    "scene.material.MATERIALS": ("render.path.bsdf.BSDFS", "render.raster.bsdf.BSDFS"),
}
"""Where everything of a registry of the scene is rendered."""


def schema_kinds(package: Path) -> dict[str, str]:
    """The ``type`` of every mapping of config/scene.py, by the name of its class."""
    tree = _parsed((package / "config" / "scene.py").read_text(encoding="utf-8"))
    return {
        node.name: field.value.value
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and field.target.id == "type"
    }


def listed(package: Path, registry: str) -> set[str]:
    """The types in a registry: the keys of a dictionary, the classes of ``by_kind(...)``, or what a decorator lists."""
    module, _, name = registry.rpartition(".")
    tree = _parsed(package.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    kinds, given = schema_kinds(package), _assigned(tree, name)
    if isinstance(given, ast.Dict):
        return {key.value for key in given.keys}
    if isinstance(given, ast.Call):
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        return {kinds[_assigned(classes[each.id], "SETTINGS").attr] for each in given.args}
    decorators = [each for node in tree.body for each in getattr(node, "decorator_list", ())]
    return {kinds[each.args[0].attr] for each in decorators if isinstance(each, ast.Call) and each.func.id == name}


def _assigned(tree: ast.AST, name: str) -> ast.expr | None:
    """What a name of a module or class is set to last."""
    for node in reversed(tree.body):
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return node.value
    return None


def unserved(package: Path = PACKAGE) -> list[str]:
    """Types that the schema knows and a room does not, or the other way round."""
    kinds, found = schema_kinds(package), []
    tree = _parsed((package / "config" / "scene.py").read_text(encoding="utf-8"))
    for union, what in UNIONS.items():
        members = {kinds[node.id] for node in ast.walk(_assigned(tree, union)) if getattr(node, "id", None) in kinds}
        known = set().union(*(listed(package, registry) for registry in ROOMS[what]))
        found += [f"{what}: {kind} is in one of config/scene.py and {ROOMS[what]}" for kind in members ^ known]
    for registry, rooms in RENDERERS.items():
        for room in rooms:
            different = listed(package, registry) ^ listed(package, room)
            found += [f"{kind} is in one of {registry} and {room}" for kind in different]
    return found


def ladders(package: Path = PACKAGE) -> list[str]:
    """Comparisons with the type of a light or material, and checks of its class, where a registry should be asked."""
    kinds, found = schema_kinds(package), []
    registries = [each for what in ("lights", "materials") for each in ROOMS[what]]
    asked = set().union(*(listed(package, each) for each in registries)) - {"area"}  # an interpolation is called so too
    classes = {name for name, kind in kinds.items() if kind in asked}
    for name, path in modules(package).items():
        for node in ast.walk(_parsed(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                parts = [each for part in node.comparators for each in ast.walk(part)]
                words = {each.value for each in parts if isinstance(each, ast.Constant)}
                found += [f"{name}:{node.lineno} compares with {word!r}" for word in words & asked]
            elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "isinstance":
                named = {getattr(each, "id", getattr(each, "attr", None)) for each in ast.walk(node.args[1])}
                found += [f"{name}:{node.lineno} checks for the class {each}" for each in named & classes]
    return found


def test_every_room_serves_what_the_schema_knows():
    assert unserved() == []


@pytest.mark.slow
def test_nothing_asks_for_the_type_of_a_light_or_material():
    assert ladders() == []


def keys_of(package: Path, file: str, name: str) -> set[str]:
    """The keys of the dictionary that a module gives a name to, itself or as an argument, or a class' fields."""
    for node in reversed(_parsed((package / file).read_text(encoding="utf-8")).body):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return {each.target.id for each in node.body if isinstance(each, ast.AnnAssign)}
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            found = next(each for each in ast.walk(node.value) if isinstance(each, ast.Dict))
            return {key.value for key in found.keys}
    raise AssertionError(f"{file} has no {name}")


def builders(package: Path) -> dict[str, set[str]]:
    """What a card's class names as its builder, ``module:name``, and what the top level of that module defines."""
    found = {}
    for node in _parsed((package / "config/card.py").read_text(encoding="utf-8")).body:
        for each in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(each, ast.Assign) and each.targets[0].id == "BUILDER":
                module = package / "neurons" / f"{each.value.value.partition(':')[0]}.py"
                text = module.read_text(encoding="utf-8") if module.is_file() else ""
                found[each.value.value] = {inner.name for inner in _parsed(text).body if hasattr(inner, "name")}
    return found


def unlike_models(package: Path = PACKAGE) -> list[str]:
    """Formats, objectives and regularizers that one room has and another has not."""
    pairs = [
        (("config/objective.py", "ACTIVATION_OBJECTIVES"), ("objectives.py", "OBJECTIVES")),
        (("config/sections.py", "Regularizers"), ("regularizers.py", "REGULARIZERS")),
    ]
    found = [
        f"{name} is in one of {first} and {second} alone"
        for first, second in pairs
        for name in sorted(keys_of(package, *first) ^ keys_of(package, *second))
    ]
    named = builders(package)
    if len(named) != len(keys_of(package, "config/card.py", "CARDS")):
        found.append("not every format of CARDS names its builder")
    return found + [
        f"there is no neurons/{builder}"
        for builder, defined in named.items()
        if builder.partition(":")[2].partition(".")[0] not in defined
    ]


def test_formats_objectives_and_regularizers_are_the_same_in_every_room():
    assert unlike_models() == []


def test_imports_go_left_only():
    assert climbs() == []


def test_libraries_stay_in_their_rooms():
    assert strangers() == []


def test_settings_and_files_load_no_torch():
    assert torch_at_once() == []


def test_no_modules_import_each_other():
    assert circles() == []


def whole_configuration(package: Path = PACKAGE) -> list[str]:
    """Functions with a parameter that is the whole ``Config``, or holds it."""
    found = []
    for name, path in modules(package).items():
        for node in ast.walk(_parsed(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                given = [each.annotation for each in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                named = [each for each in given if each is not None and not _is_callable(each)]
                if any(getattr(part, "id", None) == "Config" for each in named for part in ast.walk(each)):
                    found.append(f"{name}.{node.name}")
    return found


def _is_callable(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Subscript) and getattr(annotation.value, "id", None) == "Callable"


def too_many_whole(package: Path = PACKAGE) -> list[str]:
    """The same, where there are more than are allowed."""
    found = whole_configuration(package)
    return found if len(found) > WHOLE else []


READERS = ("runs", "sweep", "io", "geometry.formats", "report.html.spreads")
"""Who reads JSON: results and checkpoints, the sweep's own files (of which a report shows a table), and glTF."""


def json_readers(package: Path = PACKAGE) -> list[str]:
    """Modules elsewhere that parse JSON, and results that are taken apart as mappings."""
    found = []
    for name, path in modules(package).items():
        for node in ast.walk(_parsed(path.read_text(encoding="utf-8"))):
            word = getattr(node, "id", getattr(node, "attr", None))
            if word in ("read_json", "loads") and not _within(name, READERS):
                found.append(f"{name}:{node.lineno} parses JSON")
            inner = node.value if isinstance(node, ast.Subscript) else None
            if isinstance(inner, ast.Subscript) and _ends_in_result(inner.value) and _is_text(node) and _is_text(inner):
                found.append(f"{name}:{node.lineno} takes a result apart")
    return found


def _within(name: str, rooms: tuple[str, ...]) -> bool:
    return any(name == room or name.startswith(f"{room}.") for room in rooms)


def _ends_in_result(node: ast.expr) -> bool:
    return getattr(node, "id", getattr(node, "attr", None)) == "result"


def _is_text(node: ast.Subscript) -> bool:
    return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)


def unknown_names(package: Path = PACKAGE) -> list[str]:
    """Names of the package that the settings of an objective say, and that do not exist."""
    found = []
    for node in _parsed((package / "config/objective.py").read_text(encoding="utf-8")).body:
        for each in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(each, ast.Assign) and each.targets[0].id in ("RUN", "RESULT", "DESCRIBE"):
                module, _, name = each.value.value.partition(":")
                path = package.joinpath(*module.split(".")).with_suffix(".py")
                text = path.read_text(encoding="utf-8") if path.is_file() else ""
                if name not in {getattr(inner, "name", None) for inner in _parsed(text).body}:
                    found.append(f"{node.name}: there is no {each.value.value}")
    return found


def test_few_functions_take_the_whole_configuration():
    assert too_many_whole() == []


def test_results_are_read_by_runs_alone():
    assert json_readers() == []


def test_objectives_name_what_there_is():
    assert unknown_names() == []


def test_the_root_holds_few_files():
    assert len(list(PACKAGE.glob("*.py"))) <= ROOT_FILES


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "line", "check"),
    [
        ("config/fields.py", "from ..scene.scene import Scene", climbs),
        ("config/fields.py", "def later():\n    from ..cli.main import main", climbs),
        ("neurons/model.py", "from ..render import backend", climbs),
        ("sweep/plan.py", "import matplotlib.pyplot", strangers),
        ("report/sentences.py", "from rich import print", strangers),
        ("config/fields.py", "import torch", torch_at_once),
        ("runs/folder.py", "\n".join(f"def f{i}(config: Config): ..." for i in range(21)), too_many_whole),
        ("sweep/job.py", "\n".join(f"def f{i}(jobs: list[Config]): ..." for i in range(21)), too_many_whole),
        ("cli/analyze.py", "import json\nended = json.loads(text)['ended']", json_readers),
        ("report/sentences.py", "from ..io.files import read_json\nsaid = read_json(path)", json_readers),
        ("report/tables.py", "mean = outcome.result['activation']['final']", json_readers),
        ("config/objective.py", "class Lost(Part):\n    RUN = 'experiments.lost:run'", unknown_names),
        ("errors.py", "from .stimulus import Stimulus", circles),
        ("config/scene.py", "class Laser(Part):\n    type: str = 'laser'\n\nEmitter = Emitter | Laser", unserved),
        ("config/scene.py", "Material = Diffuse | Plastic", unserved),
        ("config/scene.py", "Template = Icosphere", unserved),
        ("scene/local_emitters.py", "LOCAL_EMITTERS = by_kind(Area, Point, Spot)", unserved),
        ("scene/distant_emitters.py", "DISTANT_EMITTERS = by_kind(Sun)", unserved),
        ("scene/material.py", "MATERIALS = by_kind(Diffuse, Plastic)", unserved),
        ("geometry/mesh.py", "@_template_of(schema.Sun)\ndef sun():\n    ...", unserved),
        ("render/path/lights.py", "LIGHTS = {'area': AreaLight}", unserved),
        ("render/raster/lights.py", "LIGHTS = {'laser': None}", unserved),
        ("render/path/bsdf.py", "BSDFS = {'diffuse': None}", unserved),
        ("render/raster/bsdf.py", "BSDFS = {'diffuse': Diffuse, 'velvet': Diffuse}", unserved),
        ("report/export/gltf.py", "def is_sun(emitter):\n    return emitter.KIND == 'sun'", ladders),
        ("render/path/renderer.py", "def soft(kind):\n    return kind in ('sun', 'constant')", ladders),
        ("optimize/loss.py", "def is_spot(emitter):\n    return isinstance(emitter, Spot)", ladders),
        ("objectives.py", "OBJECTIVES: dict = {}", unlike_models),
        ("regularizers.py", "REGULARIZERS: dict = {'smoothness': 0, 'volume': 1}", unlike_models),
        ("config/card.py", "class Lost(Card):\n    BUILDER = 'nowhere:build'", unlike_models),
    ],
)
def test_a_planted_violation_is_found(tmp_path, file, line, check):
    planted = tmp_path / "mitsuba_mei"
    for path in modules().values():
        copy = planted / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    before = check(planted)
    (planted / file).write_text(f"{(planted / file).read_text()}\n{line}\n")
    assert len(check(planted)) > len(before)
