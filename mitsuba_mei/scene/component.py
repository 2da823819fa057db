"""Scene parts whose named parameters are each frozen or free."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import UserError, nearest

__all__ = ["Component", "Domain", "REAL", "POSITIVE", "interval"]


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
    """A part of the scene. Subclasses :meth:`declare` their parameters and read them with :meth:`get`.

    A frozen parameter is kept as it was given; a free one is kept as the unbounded coordinate of its
    :class:`Domain`, as an ``nn.Parameter`` that requires a gradient.
    """

    def __init__(self) -> None:
        super().__init__()
        self._domains: dict[str, Domain] = {}

    def declare(self, name: str, value, domain: Domain = REAL, free: bool = False) -> None:
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

    def freeze(self, name: str) -> None:
        """Let a free parameter stay where it stands: what :meth:`get` gives is the same to the last bit."""
        value = self.get(name).detach().clone()
        self.register_parameter(name, nn.Parameter(value, requires_grad=False))

    @property
    def parameter_names(self) -> list[str]:
        """What can be frozen or free here."""
        return list(self._domains)

    def check_free(self, free: Iterable[str]) -> frozenset[str]:
        """``free`` as a set; call it with the names that the class is about to declare in ``FREEABLE``."""
        free = frozenset(free)
        allowed = getattr(self, "FREEABLE", ())
        for name in sorted(free - set(allowed)):
            raise UserError(
                f"{type(self).__name__.lower()} has no parameter '{name}' that can be free; {nearest(name, allowed)}"
            )
        return free
