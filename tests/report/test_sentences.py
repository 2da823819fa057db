from __future__ import annotations

from pathlib import Path

from mitsuba_mei.report.sentences import (
    comparison_rows,
    describe_comparison,
    describe_ending,
    describe_evaluation,
    describe_run,
)
from mitsuba_mei.runs.results import ComparisonResult, EvaluationResult, MEIResult, PixelResult

RESULT = {
    "activation": {"initial": {"mean": 0.25, "sem": 0.01}, "final": {"mean": 0.75, "sem": 0.02}},
    "fraction_of_optimum": None,
    "mesh": {"flipped_faces": 0, "degenerate_faces": 0, "intersecting_faces": 0},
    "steps": 20,
    "seconds": 1.5,
}


def said(**more) -> list[str]:
    return describe_run(Path("there"), MEIResult.model_validate(RESULT | more))


def test_ratio_validation_starts_and_clipping_are_said():
    initial = RESULT["activation"]["initial"]
    trials = [
        {"restart": i, "activation": {"initial": initial, "final": {"mean": value}}}
        for i, value in enumerate((0.75, 0.5))
    ]
    ratio = {"mean": 0.9, "sem": 0.01}
    validation = {"model": "other", "activation": RESULT["activation"], "ratio_to_pixel": {"mean": 1.1, "sem": 0.02}}
    more = {"pixel": {"activation": 0.83}, "ratio_to_pixel": ratio, "validation": validation, "outside_display": 0.0123}
    assert said(restarts=trials, **more) == [
        "The activation is 0.75 (render s.e. 0.02), up from 0.25 (render s.e. 0.01) at the start.",
        "This is 0.900 (render s.e. 0.01) of what the pixel MEI reaches (0.83).",
        "A second model, “other”, which the optimization never saw, answers 0.75 (render s.e. 0.02), up from 0.25 "
        "(render s.e. 0.01), so that the ratio is 1.100 (render s.e. 0.02) there.",
        "1.2 % of the stimulus is darker than black or brighter than white: the model saw it so, and the pictures are "
        "clipped; a smaller stimulus.norm or contrast can be displayed.",
        "The best of 2 starts was kept. Over them the mean is 0.625 and the standard deviation 0.18 (0.5 to 0.75): so "
        "far apart may other starts or seeds end, of which the render s.e. says nothing.",
        "20 steps in 1.5 s; written to there",
    ]


def test_a_stray_pixel_beyond_the_display_is_not_mentioned():
    assert not any("darker than black" in line for line in said(outside_display=1e-4))


def test_a_figure_without_noise_has_no_error():
    activation = {"initial": {"mean": 0.25, "sem": 0.0}, "final": {"mean": 0.75, "sem": 0.0}}
    (line, _) = said(activation=activation)
    assert line == "The activation is 0.75 (its renders have no noise), up from 0.25 at the start."


def test_an_unknown_error_is_no_lack_of_noise():
    activation = {"initial": {"mean": 0.25, "sem": None}, "final": {"mean": 0.75, "sem": None}}
    (line, _) = said(activation=activation)
    assert line == "The activation is 0.75 (its error is unknown), up from 0.25 at the start."


def test_another_objective_is_named_and_its_responses_are_said():
    initial = RESULT["activation"]["initial"]
    responses = [
        {"neuron": neuron, "initial": initial, "final": {"mean": mean, "sem": 0.1}}
        for neuron, mean in ((3, 0.6), (25, 0.15))
    ]
    lines = said(
        objective="target", responses=responses, pixel={"activation": -0.1}, ratio_to_pixel=None, ended="interrupted"
    )
    assert lines == [
        "The objective (target) is 0.75 (render s.e. 0.02), up from 0.25 (render s.e. 0.01) at the start.",
        "The pixel MEI reaches −0.1.",
        "responses: neuron 3 0.6, neuron 25 0.15",
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
    assert describe_run(Path("there"), PixelResult.model_validate(result | {"ended": "interrupted"})) == [
        "No pixel MEI was found: the ascent ended at an activation of 2.",
        "The best of 2 starts was kept. Over them the mean is 1.5 and the standard deviation 0.71 (1 to 2): so far "
        "apart may other starts or seeds end, of which the render s.e. says nothing.",
        "3 steps in 1.0 s, interrupted; written to there",
    ]
    assert describe_run(Path("there"), PixelResult.model_validate(result | {"ended": "done"}))[0] == (
        "The pixel MEI reaches an activation of 2."
    )


def test_an_evaluation_is_said_beside_what_the_run_reported():
    exact = {"initial": {"mean": 0.25, "sem": 0.0}, "final": {"mean": 0.5, "sem": 0.0}}
    result = {
        "renderer": "raster",
        "activation": exact,
        "validation": {"model": "other", "activation": exact},
        "reported": {"renderer": "path", "activation": RESULT["activation"]},
    }
    assert describe_evaluation(Path("there.json"), EvaluationResult.model_validate(result)) == [
        "under raster: 0.25 -> 0.5",
        "the run reported, under path: 0.25 (render s.e. 0.01) -> 0.75 (render s.e. 0.02)",
        "on other, under raster: 0.25 -> 0.5",
        "written to there.json",
    ]


def test_where_an_error_is_unknown_an_evaluation_says_none():
    unknown = {"initial": {"mean": 0.25}, "final": {"mean": 0.5, "sem": None}}
    reported = {"renderer": "path", "activation": unknown}
    said = {"renderer": "raster", "activation": unknown, "reported": reported}
    assert describe_evaluation(Path("there.json"), EvaluationResult.model_validate(said))[:2] == [
        "under raster: 0.25 -> 0.5",
        "the run reported, under path: 0.25 -> 0.5",
    ]


def compared(**more) -> ComparisonResult:
    """A comparison of one neuron that is done and one that is not."""
    noisy, exact = {"mean": 0.75, "sem": 0.02}, {"mean": 0.5, "sem": 0.0}
    row = {"path": noisy, "raster": exact}
    of = {"model": "V4", "neurons": [3]}
    done = of | {"label": "neuron 3", "ended": "done", "pixel": 2.0, "activation": {"path": row, "raster": row}}
    done |= {"gain": {"path": {"mean": 0.0312, "sem": 0.001}, "raster": None}}
    cut = of | {"label": "scene neuron 4", "ended": "interrupted", "activation": {"path": row}}
    statistics = {
        "neurons": 1,
        "gain": {"path": {"median": 0.0312, "low": None, "high": None, "n": 1}, "raster": None},
        "apart": {
            "path": {"of_renders": {"neurons": 1, "of": 1}, "of_starts": None},
            "raster": {"of_renders": None, "of_starts": None},
        },
    }
    left_out = [{"label": "neuron 5", "reason": "it is silent"}]
    said = {"ended": "interrupted", "asked": 3, "neurons": [done, cut], "left_out": left_out, "statistics": statistics}
    return ComparisonResult.model_validate(said | more)


def test_a_comparison_has_a_row_for_each_neuron_and_empty_cells_for_what_is_unknown():
    titles, rows = comparison_rows(compared().neurons)
    assert [len(row) for row in rows] == [len(titles)] * 2
    assert titles[2:4] == ["path MEI,\npath traced\n± render s.e.", "path MEI,\nrasterized"]
    assert rows[0] == ["3", "2", "0.75 ± 0.02", "0.5", "0.75 ± 0.02", "0.5", "+3.1 %", ""]
    assert rows[1] == ["scene 4 (interrupted)", "", "0.75 ± 0.02", "0.5", "", "", "", ""]


def test_what_a_comparison_says_as_a_whole():
    assert describe_comparison(Path("there"), compared()) == [
        "neuron 5 was left out: it is silent",
        "shown path traced, what was optimized so exceeds what was not by +3.1 %; by more than three standard errors: "
        "1 of 1 by the render s.e.",
        "interrupted: 1 of 3 comparisons are done",
        "written to there",
    ]
    statistics = {
        "neurons": 12,
        "gain": {
            "path": {"median": 0.02, "low": -0.011, "high": 0.05, "n": 12},
            "raster": {"median": -0.004, "low": None, "high": None, "n": 5},
        },
        "apart": {
            "path": {"of_renders": {"neurons": 9, "of": 12}, "of_starts": {"neurons": 4, "of": 11}},
            "raster": {"of_renders": None, "of_starts": None},
        },
    }
    assert describe_comparison(Path("there"), compared(statistics=statistics, ended="done", left_out=[])) == [
        "shown path traced, what was optimized so exceeds what was not by a median of +2 % (95 % interval -1.1 to +5, "
        "12 neurons); by more than three standard errors: 9 of 12 by the render s.e., 4 of 11 by the s.e. over starts",
        "shown rasterized, what was optimized so exceeds what was not by a median of -0.4 % (5 neurons)",
        "written to there",
    ]


def test_a_comparison_says_which_of_its_optimizations_failed():
    result = compared(ended="done", left_out=[])
    failed = result.neurons[0].model_copy(update={"failed": {"raster": "the object is lost"}})
    result = result.model_copy(update={"neurons": (failed, *result.neurons[1:])})
    assert describe_comparison(Path("there"), result)[0] == (
        "neuron 3, raster: failed (the object is lost); the last good scene is compared"
    )


def test_a_run_that_failed_says_why():
    said = {"steps": 30, "seconds": 1.0, "ended": "failed", "reason": "the object is lost", "skipped_steps": 3}
    assert describe_ending(Path("there"), MEIResult.model_validate(RESULT | said)) == [
        "3 steps without a finite value or gradient were left out",
        "failed: the object is lost; what is kept is the last good scene of the optimization",
        "30 steps in 1.0 s, failed; written to there",
    ]
