"""What the surface is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .color import to_channels
from .component import Component, interval
from .state import MaterialState

__all__ = ["MATERIALS", "Material", "Diffuse", "Plastic", "Principled"]

UNIT = interval(0.0, 1.0)
ROUGH = interval(0.01, 1.0)


class Material(Component):
    """A material whose parameters stay in their range."""

    KIND: str
    ior = 1.5

    def state(self, channels: int) -> MaterialState:
        """The tensors that a renderer needs."""
        values = {name: self.get(name).reshape(-1) for name in self.parameter_names}
        values["reflectance"] = to_channels(values["reflectance"], channels)
        return MaterialState(self.KIND, values, self.ior)

    def to_settings(self) -> dict[str, float | list[float]]:
        """The material as a scene file says it."""
        return {name: self.get(name).tolist() for name in self.parameter_names}


class Diffuse(Material):
    """A Lambertian surface.

    Parameters
    ----------
    reflectance : float or 3 float
        Share of the light that is reflected, in (0, 1).
    free : iterable of str
        Of ``reflectance``.
    """

    KIND = "diffuse"
    FREEABLE = ("reflectance",)

    def __init__(self, reflectance: float | Sequence[float] = 0.7, free: Iterable[str] = ()) -> None:
        super().__init__()
        free = self.check_free(free)
        self.declare("reflectance", reflectance, UNIT, free="reflectance" in free)


class Plastic(Material):
    """A diffuse base under a rough dielectric coat (Mitsuba's ``roughplastic``).

    Parameters
    ----------
    reflectance : float or 3 float
        Of the base, in (0, 1).
    roughness : float
        Beckmann roughness alpha of the coat, in (0.01, 1).
    ior : float
        The coat's index of refraction.
    free : iterable of str
        Of ``reflectance``, ``roughness``.
    """

    KIND = "plastic"
    FREEABLE = ("reflectance", "roughness")

    def __init__(
        self,
        reflectance: float | Sequence[float] = 0.7,
        roughness: float = 0.3,
        ior: float = 1.5,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        self.ior = ior
        self.declare("reflectance", reflectance, UNIT, free="reflectance" in free)
        self.declare("roughness", roughness, ROUGH, free="roughness" in free)


class Principled(Material):
    """Disney's principled material (Burley 2012; Mitsuba's ``principled``) with its main parameters.

    Parameters
    ----------
    reflectance : float or 3 float
        Base colour, in (0, 1).
    roughness, metallic, specular : float
        In (0, 1).
    free : iterable of str
        Of ``reflectance``, ``roughness``, ``metallic``, ``specular``.
    """

    KIND = "principled"
    FREEABLE = ("reflectance", "roughness", "metallic", "specular")

    def __init__(
        self,
        reflectance: float | Sequence[float] = 0.7,
        roughness: float = 0.5,
        metallic: float = 0.0,
        specular: float = 0.5,
        free: Iterable[str] = (),
    ) -> None:
        super().__init__()
        free = self.check_free(free)
        self.declare("reflectance", reflectance, UNIT, free="reflectance" in free)
        self.declare("roughness", roughness, ROUGH, free="roughness" in free)
        self.declare("metallic", metallic, UNIT, free="metallic" in free)
        self.declare("specular", specular, UNIT, free="specular" in free)


MATERIALS = {"diffuse": Diffuse, "plastic": Plastic, "principled": Principled}
