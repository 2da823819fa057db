from __future__ import annotations

from mitsuba_mei.config.load import free_parameters, load_config

SCENE = """
pose: {free: [rotation]}
placement: {on: receptive_field}
model: {card: models/v4_curvature.yaml, neurons: [1, 2]}
objective: {type: activation, weights: [2, 1]}
compare: {neurons: [5, 7-8]}
"""


def test_each_neuron_of_the_list_gets_a_scene_file_of_its_own(tmp_path):
    (tmp_path / "scene.yaml").write_text(SCENE)
    config = load_config(tmp_path / "scene.yaml")
    each = config.for_each_neuron()
    assert [one.neurons for one in each] == [(5,), (7,), (8,)]
    assert all(one.compare.neurons is None and one.objective.weights is None for one in each)
    assert each[0].pose == config.pose and each[0].placement == config.placement
    alone = config.model_copy(update={"compare": each[0].compare})
    assert alone.for_each_neuron() == [alone]


def test_another_renderer_changes_nothing_else(tmp_path):
    (tmp_path / "scene.yaml").write_text(SCENE)
    config = load_config(tmp_path / "scene.yaml")
    other = config.with_renderer("raster")
    assert other.render.type == "raster" and other != config
    assert other.with_renderer("path") == config


def test_frozen_is_free_of_everything(tmp_path):
    (tmp_path / "scene.yaml").write_text(SCENE)
    config = load_config(tmp_path / "scene.yaml", free=["pose", "camera", "lighting", "material"])
    assert len(free_parameters(config)) == 13
    assert free_parameters(config.with_nothing_free()) == () and config.with_nothing_free().placement.on is None
