"""Portraits of objects that are to be compared."""

from __future__ import annotations

import numpy as np
import pytest

from mitsuba_mei.config.load import Config
from mitsuba_mei.pipeline import build_pipeline
from mitsuba_mei.render.preview import object_of, previews


@pytest.fixture(scope="module")
def pipeline():
    card = {"type": "complex_cell", "parameters": {"frequency": 2}, "input": {"size": 64, "mean": 124, "std": 70}}
    return build_pipeline(
        Config(
            model={"card": card},
            shape={"template": {"type": "icosphere", "subdivisions": 2}, "free": []},
            pose={"free": ["scale"]},
            render={"type": "raster", "resolution": 64},
        )
    )


def width(portrait: np.ndarray) -> int:
    return int((portrait[..., 0] < 0.98).any(axis=0).sum())


def test_objects_keep_their_sizes_beside_each_other(pipeline):
    vertices, state = object_of(pipeline.scene)
    large, small = previews(pipeline.renderer, [(vertices, state), (0.5 * vertices, state)], (0,))
    assert width(large[0]) > 55
    assert width(small[0]) / width(large[0]) == pytest.approx(0.5, abs=0.08)
    (alone,) = previews(pipeline.renderer, [(0.5 * vertices, state)], (0,))
    assert width(alone[0]) > 55


def test_sides_of_a_long_object_are_shown_at_one_scale(pipeline):
    vertices, state = object_of(pipeline.scene)
    long = vertices * vertices.new_tensor([1.0, 0.5, 0.4])
    ((front, side),) = previews(pipeline.renderer, [(long, state)], (0, 90))
    assert width(side) / width(front) == pytest.approx(0.4, abs=0.08)
