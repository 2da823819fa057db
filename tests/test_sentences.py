from __future__ import annotations

from pathlib import Path

from mitsuba_mei.sentences import describe_pixel, describe_result

RESULT = {
    "activation": {"initial": {"mean": 0.25, "sem": 0.01}, "final": {"mean": 0.75, "sem": 0.02}},
    "fraction_of_optimum": None,
    "mesh": {"flipped_faces": 0, "degenerate_faces": 0, "intersecting_faces": 0},
    "steps": 20,
    "seconds": 1.5,
}


def said(**more) -> list[str]:
    return describe_result(Path("there"), RESULT | more)


def test_ratio_validation_starts_and_clipping_are_said():
    trials = [{"activation": {"final": {"mean": value}}} for value in (0.75, 0.5)]
    ratio = {"mean": 0.9, "sem": 0.01}
    validation = {"model": "other", "activation": RESULT["activation"], "ratio_to_pixel": {"mean": 1.1, "sem": 0.02}}
    more = {"pixel": {"activation": 0.83}, "ratio_to_pixel": ratio, "validation": validation, "outside_display": 0.0123}
    assert said(restarts=trials, **more) == [
        "converged activation 0.25 -> 0.75 (standard error 0.02)",
        "2 starts ended between 0.5 and 0.75",
        "the pixel MEI reaches 0.83: 3D / pixel 0.900 (standard error 0.01)",
        "on other: 0.25 -> 0.75 (standard error 0.02), 3D / pixel 1.100 (standard error 0.02)",
        "1.2 % of the stimulus is darker than black or brighter than white, and clipped in stimulus.png alone; a smaller "
        "stimulus.norm or contrast can be displayed",
        "20 steps in 1.5 s; written to there",
    ]


def test_a_stray_pixel_beyond_the_display_is_not_mentioned():
    assert not any("darker than black" in line for line in said(outside_display=1e-4))


def test_another_objective_is_named_and_its_responses_are_said():
    responses = [{"neuron": 3, "final": {"mean": 0.6, "sem": 0.1}}, {"neuron": 25, "final": {"mean": 0.15, "sem": 0.1}}]
    lines = said(
        objective="target", responses=responses, pixel={"activation": -0.1}, ratio_to_pixel=None, ended="interrupted"
    )
    assert lines == [
        "converged objective (target) 0.25 -> 0.75 (standard error 0.02)",
        "responses: neuron 3 0.6, neuron 25 0.15",
        "the pixel MEI reaches -0.1",
        "20 steps in 1.5 s, interrupted; written to there",
    ]


def test_an_unfinished_pixel_mei_is_called_so():
    result = {
        "activation": 2.0,
        "restarts": [1.0, 2.0],
        "fraction_of_optimum": None,
        "validation": None,
        "steps": 3,
        "seconds": 1,
    }
    assert describe_pixel(Path("there"), result | {"ended": "interrupted"}) == [
        "unfinished pixel MEI 2",
        "2 starts ended between 1 and 2",
        "3 steps in 1.0 s, interrupted; written to there",
    ]
    assert describe_pixel(Path("there"), result | {"ended": "done"})[0] == "pixel MEI 2"
