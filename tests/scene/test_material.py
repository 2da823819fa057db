"""What the surface is made of."""

from __future__ import annotations

import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.scene.material import MATERIALS, Diffuse, Plastic, Principled


@pytest.mark.parametrize("kind", MATERIALS)
def test_every_parameter_can_be_free_and_stays_in_its_range(kind):
    material = MATERIALS[kind](**({"metallic": 0.1} if kind == "principled" else {}), free=MATERIALS[kind].FREEABLE)
    assert material.parameter_names == list(material.FREEABLE) and material.KIND == kind
    for push in (100.0, -200.0):
        with torch.no_grad():
            for parameter in material.parameters():
                parameter += push
        assert all(0 <= value <= 1 for value in material.to_settings().values())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_state_has_the_scenes_channels(channels):
    grey, coloured = Plastic(0.3, 0.2, 1.7).state(channels), Plastic([0.1, 0.2, 0.3]).state(channels)
    assert grey.kind == "plastic" and grey.constants == {"ior": 1.7}
    assert grey.values["reflectance"].tolist() == pytest.approx([0.3] * channels)
    assert grey.values["roughness"].tolist() == pytest.approx([0.2])
    luminance = 0.1 * 0.2126 + 0.2 * 0.7152 + 0.3 * 0.0722
    expected = [0.1, 0.2, 0.3] if channels == 3 else [luminance]
    assert coloured.values["reflectance"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("reflectance", [0.35, [0.2, 0.4, 0.6]])
@pytest.mark.parametrize("free", [(), ("reflectance", "roughness", "metallic")])
def test_file_units_come_back(reflectance, free):
    material = Principled(reflectance, 0.4, 0.2, 0.6, free=free)
    again = Principled(**material.to_settings())
    for name, value in material.state(3).values.items():
        torch.testing.assert_close(again.state(3).values[name], value, rtol=1e-5, atol=1e-6)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="diffuse has no parameter 'roughness'"):
        Diffuse(free=["roughness"])
    with pytest.raises(UserError, match="principled.metallic is free but starts at 0"):
        Principled(free=["metallic"])
