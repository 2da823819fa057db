"""Scene parts whose named parameters are each frozen or free."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..config.arguments import checked, described, signature_of
from ..config.fields import Part
from ..config.quantities import Quantity, freeable_names, kind_of, quantity_of, range_of
from ..errors import UserError, nearest

__all__ = ["Component", "Domain", "REAL", "POSITIVE", "SceneComponent", "by_kind", "interval"]


@dataclass(frozen=True)
class Domain:
    """The open interval that a free parameter stays in, whatever the optimizer does.

    A free parameter is stored as an unbounded coordinate: itself on the real line, its logarithm where only
    ``low`` is finite, the logit of its place in the interval where both ends are.
    """

    low: float = -math.inf
    high: float = math.inf

    def coordinate(self, value: Tensor) -> Tensor:
        """The unbounded coordinate of ``value``; not finite where ``value`` lies on or beyond an end."""
        if self.high < math.inf:
            return torch.logit((value - self.low) / (self.high - self.low))
        return torch.log(value - self.low) if self.low > -math.inf else value

    def value(self, coordinate: Tensor) -> Tensor:
        """The value at an unbounded coordinate; inverse of :meth:`coordinate`."""
        if self.high < math.inf:
            return self.low + (self.high - self.low) * torch.sigmoid(coordinate)
        return self.low + torch.exp(coordinate) if self.low > -math.inf else coordinate


REAL = Domain()
POSITIVE = Domain(low=0.0)


def interval(low: float, high: float) -> Domain:
    """The open interval from ``low`` to ``high``."""
    return Domain(low, high)


class Component(nn.Module):
    """A part of the scene. Subclasses :meth:`register` their parameters and read them with :meth:`get`.

    A frozen parameter is kept as it was given; a free one is kept as the unbounded coordinate of its
    :class:`Domain`, as an ``nn.Parameter`` that requires a gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self._domains: dict[str, Domain] = {}

    def register(self, name: str, value, domain: Domain = REAL, free: bool = False) -> None:
        """Register the parameter ``name``.

        Raises
        ------
        UserError
            If it is free and starts on or outside the ends of its domain, where no gradient could move it.
        """
        value = torch.as_tensor(value, dtype=torch.float32).clone()
        if free:
            coordinate = domain.coordinate(value)
            if not torch.isfinite(coordinate).all():
                raise UserError(
                    f"{type(self).__name__.lower()}.{name} is free but starts at {value.tolist()}; "
                    f"start it inside ({domain.low:g}, {domain.high:g}), ends excluded"
                )
            value = coordinate
        self._domains[name] = domain
        self.register_parameter(name, nn.Parameter(value, requires_grad=free))

    def get(self, name: str) -> Tensor:
        """The parameter's value in the scene file's units, differentiable where it is free."""
        stored = getattr(self, name)
        return self._domains[name].value(stored) if stored.requires_grad else stored

    @torch.no_grad()
    def set(self, name: str, value: Tensor) -> None:
        """Give a parameter, free or frozen, a value in the scene file's units (angles in radians)."""
        stored = getattr(self, name)
        value = value.to(stored)
        stored.copy_(self._domains[name].coordinate(value) if stored.requires_grad else value)

    def freeze(self, name: str) -> None:
        """Let a free parameter stay where it stands: what :meth:`get` gives is the same to the last bit."""
        value = self.get(name).detach().clone()
        self.register_parameter(name, nn.Parameter(value, requires_grad=False))

    def quantity(self, name: str) -> Quantity:
        """Quantity of a parameter: its unit, and the difference of two values."""
        return Quantity()

    @property
    def parameter_names(self) -> list[str]:
        """Names of the parameters that can be free."""
        return list(self._domains)

    FREEABLE: ClassVar[tuple[str, ...]] = ()

    def check_free(self, free: Iterable[str]) -> frozenset[str]:
        """``free`` as a set; call it with the names that the class is about to declare in ``FREEABLE``."""
        free = frozenset(free)
        for name in sorted(free - set(self.FREEABLE)):
            raise UserError(
                f"{type(self).__name__.lower()} has no parameter '{name}' that can be free; "
                f"{nearest(name, self.FREEABLE)}"
            )
        return free


class SceneComponent(Component):
    """A part of the scene that is a mapping of the scene file, by which it is called: names, defaults, ranges, units.

    A subclass names the mapping, and computes from the parameters (:meth:`get`) and from its constants. What the
    mapping can free is a parameter; everything else is one of the ``constants``. Angles are in radians here, and
    directions have length 1.

    Attributes
    ----------
    SETTINGS : type
        The mapping.
    KIND : str
        Its ``type`` in the scene file, where it has one.
    FREEABLE : tuple of str
        The parameters.
    constants : dict
        The rest, by its name in the scene file.
    """

    SETTINGS: ClassVar[type[Part]]
    KIND: ClassVar[str] = ""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if "SETTINGS" in vars(cls):
            cls.FREEABLE = freeable_names(cls.SETTINGS)
            cls.KIND = kind_of(cls.SETTINGS) if "type" in cls.SETTINGS.model_fields else ""
            cls.__signature__ = signature_of(cls.SETTINGS)
            cls.__doc__ = f"{cls.__doc__}\n\n{described(cls.SETTINGS)}"

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__()
        given = self.__signature__.bind(*values, **named).arguments
        free = self.check_free(given.pop("free", ()))
        settings = checked(self.SETTINGS, self._name, given)
        for name in self.__signature__.parameters:
            if name in self.FREEABLE:
                self.register(name, self.initial(name, getattr(settings, name)), self._domain(name), name in free)
        self.constants = {
            name: self._in_radians(name, getattr(settings, name))
            for name in self.__signature__.parameters
            if name not in (*self.FREEABLE, "free")
        }

    @property
    def _name(self) -> str:
        return self.KIND or type(self).__name__.lower()

    def initial(self, name: str, value: Any) -> Any:
        """Convert a parameter's value in the scene file to internal units."""
        if self.quantity(name).difference == "direction":
            return unit(value, self._name)
        return self._in_radians(name, value)

    def to_settings(self) -> dict[str, float | list[float]]:
        """The parameters as a scene file says them."""
        settings = {name: self.get(name).tolist() for name in self.FREEABLE}
        return {name: math.degrees(value) if self.is_angle(name) else value for name, value in settings.items()}

    def quantity(self, name: str) -> Quantity:
        """Quantity of a parameter: its unit, and the difference of two values."""
        return quantity_of(self.SETTINGS, name)

    def is_angle(self, name: str) -> bool:
        """Whether a parameter or constant is kept in radians, and is in degrees in the scene file."""
        return self.quantity(name).difference == "angle"

    def _in_radians(self, name: str, value: Any) -> Any:
        return math.radians(value) if self.is_angle(name) else value

    def _domain(self, name: str) -> Domain:
        """Open bounds of a free parameter: inside the schema's range, ends excluded."""
        low, high, *_ = range_of(self.SETTINGS, name)
        ends = max(low, self.quantity(name).least), high
        return Domain(*(self._in_radians(name, end) for end in ends))


def by_kind(*components: type[SceneComponent]) -> dict[str, type[SceneComponent]]:
    """Components under the ``type`` that a scene file says."""
    return {component.KIND: component for component in components}


def unit(vector: Sequence[float], what: str) -> Tensor:
    """A vector divided by its length; one without a length is the user's mistake."""
    vector = torch.tensor(list(vector), dtype=torch.float32)
    if not vector.norm() > 0:
        raise UserError(f"{what}: the direction has no length; give three numbers that are not all zero")
    return vector / vector.norm()
