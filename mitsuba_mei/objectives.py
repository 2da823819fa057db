"""Objectives: scalars of the neurons' responses that are maximised."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .config.fields import Part
from .config.functions import held_function
from .config.objective import ACTIVATION_OBJECTIVES, EXPERIMENTS, ActivationObjective
from .config.registry import Registry
from .errors import UserError, first_line

__all__ = [
    "OBJECTIVES",
    "Activation",
    "Discriminate",
    "Function",
    "Objective",
    "Target",
    "build_objective",
    "check_neurons",
]


def check_neurons(neurons: int | Sequence[int], count: int | None = None) -> list[int]:
    """The neurons' indices as a list.

    Parameters
    ----------
    neurons : int or sequence of int
        One or several, each from 0 on.
    count : int, optional
        How many neurons the model has.

    Raises
    ------
    UserError
        Where none is named, one is named twice, is not a whole number, or lies outside ``0..count - 1``.
    """
    listed = [neurons] if isinstance(neurons, int) else list(neurons)
    allowed = "from 0 on" if count is None else f"0..{count - 1}" if count > 1 else "0 only"
    if not listed:
        raise UserError(f"no neuron is named; name at least one (allowed: {allowed})")
    for index in listed:
        if isinstance(index, bool) or not isinstance(index, int):
            raise UserError(f"neuron {index!r} is not a whole number; allowed: {allowed}")
        if index < 0 or (count is not None and index >= count):
            raise UserError(f"there is no neuron {index}; allowed: {allowed}")
        if listed.count(index) > 1:
            raise UserError(f"neuron {index} is named {listed.count(index)} times in {listed}; name each once")
    return listed


class Objective(nn.Module):
    """A scalar of the responses of some neurons; those alone have to be computed.

    Attributes
    ----------
    neurons : list of int
        Indices into the model's responses. ``forward`` takes the responses of these, in this order.
    mean_weights : list of float or None
        Where it is a weighted mean of the responses that is maximised, the weights: of such a one some models know the
        optimum.
    sign : float
        1 where it is maximised, -1 where it is minimized.
    """

    mean_weights: list[float] | None = None
    sign: float = 1.0

    def __init__(self, neurons: Sequence[int]) -> None:
        super().__init__()
        self.neurons = list(neurons)

    @classmethod
    def from_settings(cls, settings: ActivationObjective, neurons: Sequence[int], count: int) -> Objective:
        """Build the objective that a scene file's ``objective`` describes.

        Parameters
        ----------
        settings : ActivationObjective
            Its fields but for ``type`` and ``neurons`` are keyword arguments of the class.
        neurons : sequence of int
            Whom it is about.
        count : int
            How many neurons the model has.
        """
        return cls(neurons, **settings.model_dump(exclude={"type", "neurons"}))

    def forward(self, responses: Tensor) -> Tensor:
        """Objective ``(B,)`` of the responses ``(B, len(neurons))`` of these neurons alone."""
        raise NotImplementedError

    def value(self, responses: Tensor, model_input: Tensor) -> Tensor:
        """Objective ``(B,)`` of responses, and of the stimuli ``(B, channels, h, w)`` that they are responses to."""
        return self(responses)


class Activation(Objective):
    """The response of one neuron, or the weighted mean response of several.

    Parameters
    ----------
    neurons : int or sequence of int
        Indices into the model's responses.
    weights : sequence of float, optional
        One positive weight a neuron; only their ratios count. Equal where not given.
    direction : {'maximize', 'minimize'}

    Raises
    ------
    UserError
        Bad indices (see :func:`check_neurons`), or weights of another number than the neurons or not positive.
    """

    def __init__(
        self, neurons: int | Sequence[int], weights: Sequence[float] | None = None, direction: str = "maximize"
    ) -> None:
        super().__init__(check_neurons(neurons))
        weights = [1.0] * len(self.neurons) if weights is None else [float(w) for w in weights]
        if len(weights) != len(self.neurons):
            raise UserError(
                f"objective.weights has {len(weights)} numbers for {len(self.neurons)} neurons; give one each"
            )
        if not all(0 < w < math.inf for w in weights):
            raise UserError(f"objective.weights is {weights}; each must be a positive number")
        self.register_buffer("weights", torch.tensor(weights) / math.fsum(weights), persistent=False)
        if direction == "minimize":
            self.sign = -1.0
        else:
            self.mean_weights = self.weights.tolist()

    def forward(self, responses: Tensor) -> Tensor:
        """The weighted mean response, ``(B,)``."""
        return responses @ self.weights.to(responses.dtype)


class Discriminate(Objective):
    r"""Drives some neurons and not the others: the most discriminating stimulus.

    .. math:: \bar r_\text{preferred} - \tau \log \frac{1}{m} \sum_{j=1}^{m} \exp(r_j / \tau)

    over the ``m`` other neurons (Burg, Zenkel, Vystrčilová, Oesterle, Höfling, Willeke, ... & Ecker 2024, Most
    discriminative stimuli for functional cell type clustering, ICLR; there the preferred ones are also in the sum).

    Parameters
    ----------
    neurons : int or sequence of int
        The preferred; of several the mean response.
    against : sequence of int
        The others.
    temperature : float
        In units of a response: far below the responses' spread it is the strongest of the others that counts, far
        above it their mean.

    Raises
    ------
    UserError
        Bad indices, a neuron that is on both sides, a temperature that is not positive.
    """

    def __init__(self, neurons: int | Sequence[int], against: Sequence[int], temperature: float = 1.0) -> None:
        preferred, others = check_neurons(neurons), check_neurons(against)
        both = [index for index in others if index in preferred]
        if both:
            raise UserError(f"neuron {both[0]} is to be driven and named in objective.against; keep it on one side")
        if not 0 < temperature < math.inf:
            raise UserError(f"objective.temperature is {temperature}; it must be a positive number")
        super().__init__([*preferred, *others])
        self.preferred, self.temperature = len(preferred), temperature

    @classmethod
    def from_settings(cls, settings: ActivationObjective, neurons: Sequence[int], count: int) -> Discriminate:
        """Build the objective; ``against`` is by default all other neurons of the model."""
        others = [index for index in range(count) if index not in neurons]
        if not others:
            raise UserError(f"objective.type {settings.type} needs a neuron to tell from; the model has {count} in all")
        against = others if settings.against is None else check_neurons(settings.against, count)
        return cls(neurons, against, settings.temperature)

    def forward(self, responses: Tensor) -> Tensor:
        """Difference ``(B,)`` between the preferred neurons' responses and the others'."""
        others = responses[:, self.preferred :]
        soft = torch.logsumexp(others / self.temperature, dim=1) - math.log(others.shape[1])
        return responses[:, : self.preferred].mean(dim=1) - self.temperature * soft


class Target(Objective):
    """Brings neurons to given responses: minus the root mean square difference, 0 at best.

    Parameters
    ----------
    neurons : int or sequence of int
    responses : sequence of float
        One a neuron.

    Raises
    ------
    UserError
        Bad indices, or responses of another number than the neurons or not finite.
    """

    def __init__(self, neurons: int | Sequence[int], responses: Sequence[float]) -> None:
        super().__init__(check_neurons(neurons))
        if len(responses) != len(self.neurons):
            raise UserError(
                f"objective.responses has {len(responses)} numbers for {len(self.neurons)} neurons; give one each"
            )
        if not all(math.isfinite(value) for value in responses):
            raise UserError(f"objective.responses is {list(responses)}; each must be a finite number")
        self.register_buffer("target", torch.tensor([float(value) for value in responses]), persistent=False)

    def forward(self, responses: Tensor) -> Tensor:
        """Minus the root mean square difference from the target, ``(B,)``."""
        difference = responses - self.target.to(responses.dtype)
        return -torch.linalg.vector_norm(difference, dim=1) / math.sqrt(difference.shape[1])


class Function(Objective):
    """A function that a Python program holds: of the responses, or of the stimulus and the responses.

    Parameters
    ----------
    neurons : int or sequence of int
    function : str
        The name that it is held under (:mod:`mitsuba_mei.config.functions`).
    direction : {'maximize', 'minimize'}

    Raises
    ------
    UserError
        If nobody holds it; and, from :meth:`value`, if it returns no scalar, or one without a gradient.
    """

    def __init__(self, neurons: int | Sequence[int], function: str, direction: str = "maximize") -> None:
        super().__init__(check_neurons(neurons))
        self._held = held_function(function, "objective.function")
        self._takes_image = _count_arguments(self._held.function) > 1
        self.sign = -1.0 if direction == "minimize" else 1.0

    def value(self, responses: Tensor, model_input: Tensor) -> Tensor:
        """The function of each stimulus and its responses, ``(B,)``."""
        parts = zip(model_input.split(1), responses.split(1))
        return torch.stack([self._scalar(*pair) for pair in parts])

    def _scalar(self, image: Tensor, responses: Tensor) -> Tensor:
        """The function of one stimulus."""
        function, name = self._held.function, self._held.name
        value = function(image, responses) if self._takes_image else function(responses)
        if not isinstance(value, Tensor):
            raise UserError(f"the objective {name} returns no tensor ({value!r}); return a tensor of one number")
        if value.numel() != 1 or not value.is_floating_point():
            raise UserError(
                f"the objective {name} returns a tensor of shape {tuple(value.shape)} and {value.dtype} for one image; "
                "return one real number, as responses.mean()"
            )
        if responses.requires_grad and not value.requires_grad:
            raise UserError(
                f"the objective {name} has no path of gradients to the responses; compute it with torch, without "
                "detach(), item() or numpy()"
            )
        return value.reshape(())


def _count_arguments(function: Callable) -> int:
    """How many positional arguments a function needs."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1  # a function of C says nothing of its arguments; those of torch take the responses
    return sum(each.kind in kinds and each.default is each.empty for each in parameters)


OBJECTIVES: Registry[Callable[[ActivationObjective, Sequence[int], int], Objective]] = ACTIVATION_OBJECTIVES.builders(
    {
        "activation": Activation.from_settings,
        "discriminate": Discriminate.from_settings,
        "target": Target.from_settings,
        "function": Function.from_settings,
    }
)
"""What makes an objective of its settings, of the neurons that it is about, and of the number of the model's."""


def build_objective(settings: Part, neurons: Sequence[int], count: int) -> Objective:
    """Build the objective of a scene file; the mean response for experiments of their own.

    Parameters
    ----------
    settings : Part
        Of one of the types of :data:`~mitsuba_mei.config.objective.Objective`.
    neurons : sequence of int
        Whom it is about.
    count : int
        How many neurons the model has.

    Raises
    ------
    UserError
        For neurons that the model has not, and whatever the objective itself refuses.
    """
    if settings.type in EXPERIMENTS:
        return Activation(neurons)  # the experiment asks more of it than a response to one image
    try:
        return OBJECTIVES[settings.type](settings, neurons, count)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        if settings.type in OBJECTIVES.own:
            raise
        raise UserError(f"objective.type {settings.type} cannot be built: {first_line(error)}") from None
