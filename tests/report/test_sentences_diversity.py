"""What is said of scenes that differ and do the same to the neurons."""

from __future__ import annotations

import math
from pathlib import Path

from mitsuba_mei.report.sentences import describe_run
from mitsuba_mei.runs.results import DiverseResult, MetamerResult

REACHED = {"initial": {"mean": -0.5, "sem": 0.001}, "final": {"mean": -0.0123, "sem": 0.001}}
ENDING = {"ended": "done", "steps": 9, "seconds": 1.25, "activation": REACHED, "mesh": {}}


def metamer(near: bool, far: bool, differ: str = "shape", values: dict | None = None, **more) -> MetamerResult:
    values = {"image": 0.25, "shape": 0.3, "pose": 0.0, "light": math.nan} | (values or {})
    distance = {"initial": {"mean": 0.5, "sem": 0.001}, "final": {"mean": 0.0123, "sem": 0.001}}
    pair = {
        "found": near and far,
        "responses": {"distance": distance, "tolerance": 0.02, "near": near},
        "scene": {"differ": differ, "difference": values[differ], "apart": 0.25, "far": far},
        "differences": {kind: {"value": value} for kind, value in values.items()},
    }
    return MetamerResult.model_validate(ENDING | {"metamer": pair} | more)


def test_a_metamer():
    assert describe_run(Path("runs/a"), metamer(True, True)) == [
        "A metamer was found.",
        "The responses lie 1.23 % (render s.e. 0.1 %) from the reference’s, within the 2 % asked for; at the start 50 %.",
        "In shape the scenes lie 0.3 of the radius apart, at least the 0.25 of the radius asked for.",
        "They also differ in what the neurons see by 0.25 (a correlation of 0.75).",
        "9 steps in 1.2 s; written to runs/a",
    ]


def test_what_is_lacking_of_a_metamer_is_said():
    for near, far in ((True, False), (False, True), (False, False)):
        head, responses, scene, *_ = describe_run(Path("a"), metamer(near, far))
        assert head == "No metamer was found."
        assert ("not within" in responses) == (not near)
        assert ("less than the 0.25" in scene) == (not far)


def test_differences_by_rounding_and_those_unknown_are_left_out():
    lines = "\n".join(describe_run(Path("a"), metamer(True, True, values={"image": 1e-5, "light": 123.4})))
    assert "what the neurons see" not in lines and "turn" not in lines and "in directions of lights by 123°" in lines


def diverse(reached: list[bool], far: bool, whence: str, meshes: tuple[dict, ...] = ()) -> DiverseResult:
    scenes = [{"of_maximum": 0.95 if each else 0.5, "reached": each, "activation": REACHED} for each in reached]
    for scene, mesh in zip(scenes, meshes):
        scene["mesh"] = mesh
    said = {
        "found": all(reached) and far,
        "scenes": scenes,
        "differ": "pose",
        "difference": 45.0,
        "far": far,
        "apart": 30,
    }
    said |= {"level": 0.9, "maximum": {"from": whence, "value": 25.0}}
    return DiverseResult.model_validate(ENDING | {"diverse": said})


def test_diverse_scenes():
    assert describe_run(Path("runs/a"), diverse([True, True], True, "optimum")) == [
        "2 diverse scenes were found.",
        "2 of 2 drive the neurons to at least 0.9 of the known optimum (25); the least reaches 0.950.",
        "In turn of the object two of them lie 45° apart in the mean, at least the 30° asked for.",
        "9 steps in 1.2 s; written to runs/a",
    ]


def test_what_is_lacking_of_a_set_is_said():
    lines = describe_run(Path("a"), diverse([True, False, True], False, "one scene alone"))
    assert lines[0] == "No such set of scenes was found."
    assert lines[1].startswith("2 of 3") and "what one scene alone reaches" in lines[1] and "0.500" in lines[1]
    assert "less than the 30° asked for" in lines[2]


def test_the_meshes_of_all_scenes_are_said_not_of_the_first_alone():
    none = {f"{kind}_faces": 0 for kind in ("flipped", "degenerate", "intersecting")}
    bad = none | {"intersecting_faces": 216}
    worse = bad | {"flipped_faces": 3}
    result = diverse([True, True, True], True, "optimum", (none, bad, worse))
    assert describe_run(Path("a"), result)[3] == (
        "2 of 3 meshes have faces that no object has (scene 2: 216 intersecting; scene 3: 3 flipped, 216 intersecting)"
    )
    assert len(describe_run(Path("a"), diverse([True, True, True], True, "optimum", (none, none, none)))) == 4


def test_a_metamers_mesh_is_said():
    mesh = {"flipped_faces": 0, "degenerate_faces": 0, "intersecting_faces": 7}
    assert "the mesh has faces that no object has: 7 intersecting" in describe_run(
        Path("a"), metamer(True, True, mesh=mesh)
    )
