"""Sentences about a scene file, a finished run, its end and its mesh."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..config.load import Config, free_parameters
from ..config.sections import RENDERERS
from ..runs.checkpoint import FOLDER
from ..runs.results import (
    ComparedNeuron,
    ComparisonResult,
    DiverseResult,
    DiverseScene,
    Estimate,
    EvaluationResult,
    InitialFinal,
    InverseResult,
    MEIResult,
    MeshFlaws,
    OptimizationResult,
    PixelResult,
    Response,
)
from ..runs.results.comparison import MedianGain, Significant
from ..runs.results.populations import Neuron
from ..scene.initial import describe_initial
from .statements import describe_parameters, statements

__all__ = [
    "SHOWN",
    "comparison_rows",
    "describe_comparison",
    "describe_config",
    "describe_each_mesh",
    "describe_ending",
    "describe_evaluation",
    "describe_failures",
    "describe_mesh",
    "describe_run",
    "flaws",
    "signed_percent",
]


def describe_ending(folder: Path, result: OptimizationResult | PixelResult) -> list[str]:
    """Time and place of a run, and how it ended where that is not what was asked for."""
    stopped = "" if result.ended == "done" else f", {result.ended}"
    lines = [f"{result.steps} steps in {result.seconds:.1f} s{stopped}; written to {folder}"]
    missing = [f"not written: {each}" for each in result.not_written]
    if missing and (folder / FOLDER).is_dir():
        missing.append(f"everything else is written; once this is mended, 'resume {folder}' writes what is missing")
    lines = [*missing, *lines]
    if result.reason:
        kept = "; what is kept is the last good scene of the optimization" * _is_of_a_scene(result.reason)
        lines.insert(0, f"failed: {result.reason}{kept}")
    if getattr(result, "skipped_steps", 0):
        lines.insert(0, f"{result.skipped_steps} steps without a finite value or gradient were left out")
    return lines


def describe_failures(neuron: Neuron) -> list[str]:
    """Which of a neuron's optimizations failed, and why; those for one reason together."""
    alike: dict[str, list[str]] = {}
    for which, reason in neuron.failed.items():
        alike.setdefault(reason, []).append(which)
    return [
        f"{neuron.label}, {', '.join(which)}: failed ({reason})"
        + "; the last good scene is compared" * _is_of_a_scene(reason)
        for reason, which in alike.items()
    ]


def _is_of_a_scene(reason: str) -> bool:
    """Whether a scene failed, of which there was a better one before; where a model did, none is better than others."""
    return not reason.startswith("model ")


def flaws(mesh: MeshFlaws) -> str:
    """``4 flipped, 102 intersecting``, faces that the optimization made so; nothing where there are none."""
    return ", ".join(f"{count} {kind}" for kind, count in mesh.made.items() if count)


def describe_mesh(mesh: MeshFlaws) -> list[str]:
    """A warning where a mesh has faces that no object has."""
    flawed, had = flaws(mesh), 0 if mesh.input is None else mesh.input.intersecting_faces
    lines = []
    if flawed:
        lines.append(f"{'the optimization made' if had else 'the mesh has'} faces that no object has: {flawed}")
    if had:
        left = mesh.intersecting_faces - mesh.new_intersecting_faces
        lines.append(f"{had} faces of the input mesh passed through others before any step; {left} of them still do")
    return lines


def describe_each_mesh(scenes: Sequence[DiverseScene]) -> list[str]:
    """The same of several scenes; older folders do not say it of each."""
    flawed = {index: flaws(scene.mesh) for index, scene in enumerate(scenes, 1) if scene.mesh is not None}
    bad = [f"scene {index}: {text}" for index, text in flawed.items() if text]
    return [f"{len(bad)} of {len(scenes)} meshes have faces that no object has ({'; '.join(bad)})"] if bad else []


MAX_LISTED = 10
"""Neurons that one is told from whose responses are said; result.json has all."""


def describe_config(path: Path, config: Config) -> list[str]:
    """A scene file that is fine."""
    card = config.model.card
    neurons = ", ".join(map(str, config.neurons))
    compared = config.compare.neurons
    asked = [config.objective.summary(config.neurons)]
    asked += [f"beside the {config.compare_to} MEI"] * (config.compare_to is not None)
    asked += ["validated by a second model"] * (config.model.validate is not None)
    asked += [f"{config.optimizer.restarts} starts"] * (config.optimizer.restarts > 1)
    return [
        f"{path} is fine",
        f"  render    {config.render.type}, {config.render.resolution} x {config.render.resolution} pixels",
        f"  shape     {config.shape.template.type}, {config.shape.rbf.control_points} control points",
        f"  lighting  {', '.join(light.type for light in config.lighting)}",
        f"  model     {card if isinstance(card, str) else 'written in place'}, neuron {neurons}",
        f"  objective {', '.join(asked)}",
        f"  free      {', '.join(free_parameters(config.scene)) or 'nothing'}",
        *([] if compared is None else [f"  compare   neurons {', '.join(map(str, compared))}"]),
    ]


def describe_run(folder: Path, result: OptimizationResult | PixelResult) -> list[str]:
    """A run: what it comes to, warnings, time and place."""
    lines = statements(result)
    if isinstance(result, OptimizationResult):
        lines += describe_initial(result.initial_scene)
        if isinstance(result, InverseResult):
            lines += describe_parameters(result.truth)
        if isinstance(result, MEIResult):
            lines += _responses(result)
        lines += (
            describe_each_mesh(result.diverse.scenes)
            if isinstance(result, DiverseResult)
            else describe_mesh(result.mesh)
        )
    return [*lines, *describe_ending(folder, result)]


def _responses(result: MEIResult) -> list[str]:
    """What each neuron answers, where the objective is another figure."""
    if result.objective == "activation":
        return []
    lines = [f"responses: {_listed(result.responses)}"]
    others = sorted(result.against, key=lambda each: -each.final.mean)
    if others:
        which = f", the {MAX_LISTED} strongest of {len(others)}" if len(others) > MAX_LISTED else ""
        lines.append(f"told from{which}: {_listed(others[:MAX_LISTED])}")
    return lines


def _listed(responses: Sequence[Response]) -> str:
    return ", ".join(f"neuron {each.neuron} {each.final.mean:.4g}" for each in responses)


def describe_evaluation(path: Path, result: EvaluationResult) -> list[str]:
    """An evaluation of a finished run, beside what the run reported itself."""
    reported = result.reported
    lines = [
        f"under {result.renderer}: {_with_errors(result.activation)}",
        f"the run reported, under {reported.renderer}: {_with_errors(reported.activation)}",
    ]
    if result.validation is not None:
        second = result.validation
        lines.append(f"on {second.model}, under {result.renderer}: {_with_errors(second.activation)}")
    return [*lines, f"written to {path}"]


def _with_errors(activation: InitialFinal) -> str:
    return f"{_with_error(activation.initial)} -> {_with_error(activation.final)}"


def _with_error(value: Estimate) -> str:
    return f"{value.mean:.4g}" + (f" (render s.e. {value.sem:.1g})" if value.sem > 0 else "")


def _in_table(value: Estimate) -> str:
    return f"{value.mean:.4g}" + (f" ± {value.sem:.1g}" if value.sem > 0 else "")


# ----------------------------------------------------------------------------------------------------- comparisons

SHOWN = dict(zip(RENDERERS, ("path traced", "rasterized")))
"""What is said of a picture, by the type of the renderer."""


def comparison_rows(neurons: Sequence[ComparedNeuron]) -> tuple[list[str], list[list[str]]]:
    """A comparison's table: its columns' titles, and a row for each neuron."""
    noisy = {shown for neuron in neurons for shown in RENDERERS if _noisy(neuron, shown)}
    error = {shown: "\n± render s.e." if shown in noisy else "" for shown in RENDERERS}
    titles = ["neuron", "pixel MEI"]
    titles += [
        f"{optimized_under} MEI,\n{SHOWN[shown]}{error[shown]}" for optimized_under in RENDERERS for shown in RENDERERS
    ]
    titles += [f"gain,\n{SHOWN[shown]}" for shown in RENDERERS]
    rows = []
    for neuron in neurons:
        gains = neuron.gain or {}
        label = neuron.label.replace("neuron ", "") + ("" if neuron.ended == "done" else f" ({neuron.ended})")
        cells = [
            neuron.activation.get(optimized_under, {}).get(shown)
            for optimized_under in RENDERERS
            for shown in RENDERERS
        ]
        row = [label, "" if neuron.pixel is None else f"{neuron.pixel:.4g}"]
        row += ["" if cell is None else _in_table(cell) for cell in cells]
        row += ["" if gains.get(shown) is None else f"{signed_percent(gains[shown].mean)} %" for shown in RENDERERS]
        rows.append(row)
    return titles, rows


def _noisy(neuron: ComparedNeuron, shown: str) -> bool:
    return any(shown in row and row[shown].sem > 0 for row in neuron.activation.values())


def signed_percent(fraction: float) -> str:
    """``+5.2``, ``-0.11``, ``+65``."""
    return f"{100 * fraction:+.0f}" if abs(fraction) >= 0.1 else f"{100 * fraction:+.2g}"


def describe_comparison(folder: Path, result: ComparisonResult) -> list[str]:
    """What the neurons of a comparison come to together."""
    statistics = result.statistics
    lines = [f"{other.label} was left out: {other.reason}" for other in result.left_out]
    for neuron in result.neurons:
        lines += describe_failures(neuron)
    for shown in RENDERERS:
        gain = statistics.gain[shown]
        if gain is not None:
            what = f"shown {SHOWN[shown]}, what was optimized so exceeds what was not by {_median(gain)}"
            lines.append(what + _significant(statistics.apart[shown]))
    if result.ended != "done":
        lines.append(f"interrupted: {statistics.neurons} of {result.asked} comparisons are done")
    return [*lines, f"written to {folder}"]


def _median(gain: MedianGain) -> str:
    if gain.n == 1:
        return f"{signed_percent(gain.median)} %"
    count = f"{gain.n} neurons"
    if gain.low is not None:
        count = f"95 % interval {signed_percent(gain.low)} to {signed_percent(gain.high)}, {count}"
    return f"a median of {signed_percent(gain.median)} % ({count})"


def _significant(apart: Significant) -> str:
    """How many neurons' two objects differ by more than chance."""
    kinds = {"by the render s.e.": apart.of_renders, "by the s.e. over starts": apart.of_starts}
    counts = [f"{count.neurons} of {count.of} {name}" for name, count in kinds.items() if count is not None]
    return f"; by more than three standard errors: {', '.join(counts)}" if counts else ""
