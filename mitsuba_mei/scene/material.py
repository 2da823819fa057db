"""Materials of the surface."""

from __future__ import annotations

from ..config import scene as schema
from .color import to_channels
from .component import SceneComponent, by_kind
from .state import MaterialState

__all__ = ["Diffuse", "MATERIALS", "Material", "Plastic", "Principled"]


class Material(SceneComponent):
    """A material whose parameters stay in their range, its ``reflectance`` among them."""

    def state(self, channels: int) -> MaterialState:
        """The tensors that a renderer needs, and its constants."""
        values = {name: self.get(name).reshape(-1) for name in self.parameter_names}
        values["reflectance"] = to_channels(values["reflectance"], channels)
        return MaterialState(self.KIND, values, self.constants)


class Diffuse(Material):
    """A Lambertian surface."""

    SETTINGS = schema.Diffuse


class Plastic(Material):
    """A diffuse base under a rough dielectric coat of Beckmann roughness (Mitsuba's ``roughplastic``)."""

    SETTINGS = schema.Plastic


class Principled(Material):
    """Disney's principled material (Burley 2012; Mitsuba's ``principled``) with its main parameters."""

    SETTINGS = schema.Principled


MATERIALS = by_kind(Diffuse, Plastic, Principled)
