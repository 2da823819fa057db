"""3D maximally exciting inputs with a physically based, differentiable renderer."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PARTS = (
    "Area Camera Constant Diffuse Directional Environment Input Plastic Point Pose Principled RBFDeformation Render "
    "SphericalHarmonics Spot Stimulus Sun capsule cube icosphere torus"
)
_NAMES = {
    **dict.fromkeys(_PARTS.split(), "api.parts"),
    **dict.fromkeys("compare diverse factors metamer pixel_mei recover run".split(), "api.analyses"),
    "MEI": "api.mei",
    "Run": "api.results",
    "Scene": "api.scene",
    "UserError": "errors",
    "layer": "neurons.layer",
    "load_config": "config.load",
    "load_model": "neurons.cards:load_card",
    "read_run": "api.folders",
    "run_sweep": "api.sweeps",
    "tune": "api.tuning",
}
"""The module of each public name, and its name there; it is loaded when the name is first used."""

__all__ = [*sorted(_NAMES), "__version__"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        module, _, attribute = _NAMES[name].partition(":")
        return getattr(importlib.import_module(f".{module}", __name__), attribute or name)
    if name.startswith("__"):
        raise AttributeError(name)
    from .errors import nearest

    raise AttributeError(f"mitsuba_mei has no '{name}'; {nearest(name, _NAMES)}")


def __dir__() -> list[str]:
    return __all__
