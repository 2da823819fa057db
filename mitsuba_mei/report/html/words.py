"""What is said of a run, in sentences, and its figures as text."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ...config.objective_names import maximised_value, named_objective, stimulus_name
from ...config.trust import OPTION
from ...runs.results import DiverseScene, InverseResult, MeshFlaws
from ...runs.results.parts import InputMesh
from ...scene.initial import initial_in_words
from ..html import aim_words
from ..numbers import BARS, measured, number, with_error
from ..statements import statements
from .record import RunRecord

__all__ = [
    "activation_sentences",
    "beside",
    "commands",
    "flaws",
    "flaws_in_short",
    "flaws_in_words",
    "flaws_of_each",
    "found",
    "lead",
    "maximised",
    "measured",
    "named_neurons",
    "number",
    "objective_sentence",
    "rendered",
    "served",
    "title",
    "units",
    "valued",
    "with_error",
]

RENDERED = {"path": "path traced", "raster": "rasterized"}


def rendered(renderer: str | None) -> str:
    """``path traced``, ``rasterized``, or the renderer's own name."""
    return "–" if renderer is None else RENDERED.get(renderer, renderer)


def named_neurons(neurons: Sequence[int]) -> str:
    """``neuron 3``, ``neurons 3, 25``."""
    if not neurons:
        return "a neuron"
    return f"neuron{'' if len(neurons) == 1 else 's'} {', '.join(map(str, neurons))}"


def maximised(run: RunRecord) -> str:
    """What the figures are of."""
    if run.other is not None:
        return aim_words.measure(run.other)
    return maximised_value(run.objective)


def found(run: RunRecord) -> str:
    """``3D MEI``; what serves another objective than activation is no MEI."""
    if run.other is not None:
        return aim_words.found(run.other)
    return stimulus_name("pixel" if run.is_pixel else "3D", run.objective, run.direction)


def title(run: RunRecord) -> str:
    """What was found, for whom."""
    if run.other is not None:
        return aim_words.title(run.other, run.model)
    name = found(run)
    kind = "" if run.objective == "activation" else f" ({run.objective})"
    return f"{name[0].upper()}{name[1:]} of {run.model}, {named_neurons(run.neurons)}{kind}"


def valued(run: RunRecord) -> str:
    """The figure that counts, with its name: ``activation 20 (render s.e. 0.12)``."""
    if run.other is not None:
        return f"{aim_words.in_short(run.other)} {with_error(run.final)}"
    return f"{'activation' if run.objective == 'activation' else 'objective'} {with_error(run.final)}"


def served(run: RunRecord) -> str:
    """The objective, and whether what was sought was found: ``metamer, not found``."""
    found = None if run.other is None else aim_words.outcome(run.other)
    return run.objective if found is None else f"{run.objective}, {found}"


def beside(run: RunRecord) -> str:
    """What is shown beside the renders of an optimization."""
    if isinstance(run.other, InverseResult):
        return "Difference from the target: grey where there is none"
    return f"Stimulus, as the neuron{'s' if run.other is not None else ''} saw it"


def lead(run: RunRecord) -> str:
    """What a report begins with."""
    how = {"path": " (light simulated by path tracing)", "raster": " (shaded by rasterization)"}.get(
        run.renderer or "", ""
    )
    if run.other is not None:
        neurons = named_neurons(run.neurons) if run.neurons else "all neurons"
        return aim_words.lead(run.other, f"{neurons} of the model “{run.model}”", how)
    aim = "drives" if run.objective == "activation" else f"serves the objective “{run.objective}” for"
    whom = f"{named_neurons(run.neurons)} of the model “{run.model}”"
    if run.direction == "minimize":
        of = "drives" if run.objective == "activation" else f"gives of the objective “{run.objective}” for"
        if run.is_pixel:
            return f"An image that {of} {whom} as little as gradient descent on its pixels could make it."
        return f"The object, as rendered{how}, that {of} {whom} least of those that the optimizer tried."
    if run.is_pixel:
        return (
            f"An image that {aim} {whom} as well as gradient ascent on its pixels could make it; no object, no light."
        )
    if run.objective == "activation":
        return (
            f"A maximally exciting input (MEI): the object, as rendered{how}, that drives {whom} hardest of those "
            "that the optimizer tried."
        )
    return f"The object, as rendered{how}, that best {aim} {whom}, of those that the optimizer tried."


def objective_sentence(run: RunRecord) -> str | None:
    """What was maximised, where it is no single neuron's response."""
    if run.other is not None:
        return None
    if run.objective != "activation":
        return named_objective(run.objective)
    return "The activation is the mean of these neurons, weighted as the scene file says." if run.neurons[1:] else None


def units(run: RunRecord) -> str:
    """What the figure's axis and rows are."""
    if run.other is not None:
        return aim_words.units(run.other, run.final.sem > 0)
    what = "the model’s response, in the model’s own units" if run.objective == "activation" else "what was maximised"
    statements = f"{maximised(run).capitalize()}: {what}."
    if not run.is_pixel:
        statements += f" Start: {initial_in_words(run.result.initial_scene)}."
    if run.final.sem > 0:
        statements += f" {BARS}"
    if run.pixel is not None:
        statements += " Pixel MEI: the best image that gradient ascent on pixels found under the same constraint."
    if run.optimum is not None:
        statements += " Optimum: the best that any image can reach, known of a simulated neuron."
    return statements


def activation_sentences(run: RunRecord) -> list[str]:
    """How strong the stimulus is, or how near what was sought, beside what it can be compared with."""
    return [*statements(run.result), *_ended(run)]


def _ended(run: RunRecord) -> list[str]:
    result = run.result
    if result.ended == "done":
        return []
    return [f"The optimization ended early: {result.ended}{f' ({result.reason})' if result.reason else ''}."]


def flaws(mesh: MeshFlaws | None) -> int | None:
    """How many faces a mesh has that no object has, and its file had not; None where it is unknown."""
    if mesh is None or None in mesh.made.values():
        return None
    return sum(mesh.made.values())


def flaws_in_short(mesh: MeshFlaws | None) -> str:
    """``none``, ``18 faces``, ``none, open``."""
    count = flaws(mesh)
    if count is None:
        return "–"
    faces = f"{count:,} {_faces(count)}" if count else "none"
    if _left(mesh):
        faces += f", {_left(mesh):,} of the file"
    return faces + (", open" if mesh.watertight is False else "")


def _left(mesh: MeshFlaws) -> int:
    """How many faces pass through others, and did so in the mesh's file."""
    return (mesh.intersecting_faces or 0) - (mesh.made["intersecting"] or 0)


def flaws_in_words(mesh: MeshFlaws | None) -> list[str]:
    """Whether a mesh is an object that could be made."""
    if mesh is None:
        return []
    size = f"{_count(mesh.vertices)} vertices and {_count(mesh.faces)} triangles"
    given = mesh.input or InputMesh()
    flawed = [f"{count:,} {_faces(count)} {WHAT_IS[kind]}" for kind, count in mesh.made.items() if count]
    unknown = [kind for kind, count in mesh.made.items() if count is None]
    lines = [f"The mesh has {size}."]
    if flawed:
        cause = "The optimization made flaws" if given.intersecting_faces else "It has flaws"
        lines.append(f"{cause} that no object has: {'; '.join(flawed)}.")
    elif not unknown and not _left(mesh):
        lines.append("No face is flipped, degenerate or passes through another.")
    if given.intersecting_faces:
        count = given.intersecting_faces
        lines.append(
            f"In the input mesh {count:,} {_faces(count)} passed through others before any step; {_left(mesh):,} of "
            "them still do."
        )
    if unknown:
        lines.append(f"How many faces are {' or '.join(unknown)} is not recorded.")
    if mesh.watertight is not None:
        closed = "It is watertight: every edge joins exactly two faces."
        open_ = "It is not watertight: it has a hole, or edges of three faces"
        open_ += ", as the input mesh had." if given.watertight is False else "."
        lines.append(closed if mesh.watertight else open_)
    if mesh.smallest_angle is not None:
        lines.append(f"The smallest angle of a face is {mesh.smallest_angle:.2g}°.")
    if given.said:
        lines.append(f"When its file was read: {'; '.join(given.said)}.")
    return lines


def flaws_of_each(scenes: Sequence[DiverseScene]) -> str | None:
    """Of several scenes, how many faces no object has; None where it is not known of every one."""
    counts = [flaws(scene.mesh) for scene in scenes]
    if not counts or None in counts:
        return None
    if not any(counts):
        return "In no scene is a face flipped, degenerate or does it pass through another."
    statements = [f"scene {index}: {count:,} {_faces(count)}" for index, count in enumerate(counts, 1) if count]
    return f"Meshes with faces that no object has (flipped, degenerate or passing through others): {'; '.join(statements)}."


WHAT_IS = {
    "flipped": "turned against their neighbours",
    "degenerate": "squeezed to a line or a point",
    "intersecting": "passing through others",
}


def _faces(count: int) -> str:
    return "face" if count == 1 else "faces"


def _count(value: int | None) -> str:
    return "an unknown number of" if value is None else f"{value:,}"


def commands(run: RunRecord) -> list[tuple[str, str]]:
    """What repeats the run, and what looks further: a sentence and a command each."""
    trust = OPTION * run.runs_code
    folder = shlex.quote(run.place.name)
    config = shlex.quote(f"{run.place.name}/config.yaml") + trust
    again = "again, with the same seed"
    if run.is_pixel:
        return [(f"Find this image {again}", f"python run.py pixel {config}")]
    if run.other is not None:
        return [(f"Run the experiment {again}", f"python run.py {config}")]
    other = "raster" if run.renderer == "path" else "path"
    return [
        (f"Run the experiment {again}", f"python run.py {config}"),
        (
            f"Evaluate the finished object, {RENDERED[other]} this time",
            f"python run.py evaluate {folder} --render {other}{trust}",
        ),
    ]
