"""Observer: the stimulus' constraint, the neurons, and the objective of their responses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..config.groups import ObserverSettings
from ..errors import ModelFailure, UserError
from ..objectives import Function, Objective, build_objective
from ..stimulus import Stimulus
from .cards import NeuronModel, load_card
from .model import Ensemble
from .model_identity import answer_alike, share_weights, varied_images
from .repeatable import Memory

__all__ = ["Observation", "Validator", "Observer", "build_observer"]

MIN_GREY_LEVELS = 1.0
"""Root mean square of a stimulus, grey levels of 255, below which a picture of 8 bits does not show it."""


@dataclass(frozen=True)
class Observation:
    """One look at an image.

    Attributes
    ----------
    image : Tensor
        The render, (H, W, C).
    model_input : Tensor
        The neurons' input, (1, channels, h, w).
    responses : Tensor
        Of the objective's neurons, (k,).
    activation : Tensor
        The objective, scalar.
    """

    image: Tensor
    model_input: Tensor
    responses: Tensor
    activation: Tensor


class Validator:
    """A second model that judges the stimuli made for a first one.

    Both see the same grey levels, each standardised its own way.

    Parameters
    ----------
    model : NeuronModel
        The second model.
    objective : Objective
        What is wanted of it.
    stimulus : Stimulus
        Of the first model.
    """

    def __init__(self, model: NeuronModel, objective: Objective, stimulus: Stimulus) -> None:
        self.model, self.objective = model, objective
        self.neurons = model.select(objective.neurons)
        std, mean = (torch.as_tensor(v, dtype=torch.float32).reshape(-1, 1, 1) for v in (model.std, model.mean))
        self.gain = (stimulus.model_std / std)[None]
        self.offset = ((stimulus.model_mean - mean) / std)[None]

    def to(self, device: str) -> Validator:
        """The same on another device."""
        self.neurons, self.objective = self.neurons.to(device), self.objective.to(device)
        self.gain, self.offset = self.gain.to(device), self.offset.to(device)
        return self

    def __call__(self, model_input: Tensor) -> Tensor:
        """The objective ``(B,)`` of the first model's inputs ``(B, channels, h, w)``."""
        own = model_input * self.gain + self.offset
        return self.objective.value(self.neurons(own), own)


@dataclass
class Observer:
    """From an image to the objective.

    Attributes
    ----------
    stimulus : Stimulus
        What an image becomes before the neurons see it.
    model : NeuronModel
        The whole model.
    neurons : callable
        From inputs ``(B, channels, h, w)`` to the responses of the objective's neurons alone, ``(B, k)``.
    objective : Objective
        What is maximised of those.
    validator : Validator or None
        A second model that the optimization never sees.
    memory : Memory or None
        Of how the neurons answered before they were shown anything.
    """

    stimulus: Stimulus
    model: NeuronModel
    neurons: Callable[[Tensor], Tensor]
    objective: Objective
    validator: Validator | None = None
    memory: Memory | None = None

    def observe(self, image: Tensor) -> Observation:
        """Show a render (H, W, C) to the neurons."""
        model_input = self.stimulus(image)
        responses = self.neurons(model_input)
        return Observation(image, model_input, responses[0], self.objective.value(responses, model_input)[0])

    def is_visible(self, image: Tensor) -> bool:
        """Whether anything is to be seen in a render (H, W, C)."""
        return self.stimulus.contrast_energy(image) != 0

    def is_silent(self, look: Observation) -> bool:
        """Whether it is the neurons' silence where nothing in an image changes the objective."""
        return True

    def is_silent_at(self, image: Tensor) -> bool:
        """Whether nothing in a render (H, W, C) changes the objective, for the neurons do not answer."""
        shown = image.detach().requires_grad_()
        with torch.enable_grad():
            look = self.observe(shown)
            (slope,) = torch.autograd.grad(look.activation, shown)
        return not bool((slope != 0).any()) and self.is_silent(look)

    def altered(self, image: Tensor) -> str:
        """Why figures of a render (H, W, C) cannot be trusted: the model is no function of its image, or not the same
        as it was at first. Empty where it is.
        """
        if self.memory is None:
            return ""
        with torch.no_grad():  # of several cameras' images, which lie side by side, the first
            difference = self.memory.changed(self.neurons, self.stimulus(image[:, : image.shape[0]]))
        return f"model '{self.model.name}' is no function of its image: {difference}" if difference else ""

    def check_unaltered(self, image: Tensor) -> None:
        """Raise ModelFailure where figures of a render (H, W, C) cannot be trusted (:meth:`altered`)."""
        altered = self.altered(image)
        if altered:
            raise ModelFailure(f"{altered}, so that these figures mean nothing; reset its state in forward")

    def display_image(self, image: Tensor) -> Tensor:
        """The stimulus of a render (H, W, C) as people are shown it: grey levels as the neurons saw them, beyond black
        and white too, (h, w) or (h, w, 3).
        """
        return self.stimulus.to_grey(self.stimulus(image), clip=False)

    def to(self, device: str) -> Observer:
        """The same on another device."""
        self.stimulus, self.neurons = self.stimulus.to(device), self.neurons.to(device)
        self.objective = self.objective.to(device)
        self.validator = None if self.validator is None else self.validator.to(device)
        return self

    def optimum(self) -> float | None:
        """The best objective that any image reaches under the stimulus' constraint, where it is known."""
        weights = self.objective.mean_weights
        return None if weights is None else self.model.optimum(self.objective.neurons, self.stimulus, weights)


def build_observer(settings: ObserverSettings, on_message: Callable[[str], None] = lambda text: None) -> Observer:
    """Load the model that a scene file names, the one to validate on, and their objective.

    Parameters
    ----------
    settings : ObserverSettings
    on_message : callable
        Told of downloads.

    Raises
    ------
    UserError
        For what of them cannot be used.
    """
    model = load_card(settings.model.card, on_message=on_message, trust_code=settings.trusts_code)
    neurons = model.check_neurons(_asked(settings, model))
    if settings.compare.neurons is not None:
        model.check_neurons(settings.compare.neurons)
    size = settings.stimulus.size
    if size is not None and (size, size) != tuple(model.image_size):
        raise UserError(
            f"stimulus.size is {size}, but model '{model.name}' takes {model.image_size[1]} x {model.image_size[0]} "
            "pixels; leave it out"
        )
    constraint = {
        "norm": settings.stimulus.norm,
        "contrast": settings.stimulus.contrast,
        "clip": settings.stimulus.clip,
    }
    stimulus = Stimulus(
        model.image_size,
        model.channels,
        model.mean,
        model.std,
        **constraint,
        display_mean=0.5 if settings.stimulus.mean is None else settings.stimulus.mean,
        mask=None if settings.stimulus.mask is None else settings.stimulus.mask.model_dump(),
    )
    _tell_faint(model, stimulus, on_message)
    objective = build_objective(settings.objective, neurons, model.n_neurons)
    if isinstance(objective, Function):  # what it returns is checked on noise, before anything is rendered
        shapes = (1, len(objective.neurons)), (1, model.channels, *model.image_size)
        objective.value(*(torch.randn(shape, requires_grad=True) for shape in shapes))
    neurons = model.select(objective.neurons)
    memory = Memory(neurons, (model.channels, *model.image_size))
    observer = Observer(stimulus, model, neurons, objective, memory=memory)
    if settings.model.validate is not None:
        observer.validator = _build_validator(settings, observer, on_message)
    return observer


def _tell_faint(model: NeuronModel, stimulus: Stimulus, on_message: Callable[[str], None]) -> None:
    """Say where the contrast that is asked for is so low that no picture of the stimulus shows it."""
    if stimulus.constraint == "norm":
        count = stimulus.channels * stimulus.image_size[0] * stimulus.image_size[1]
        levels = stimulus.norm / math.sqrt(count) * float(stimulus.model_std.mean())
    else:
        levels = math.inf if stimulus.contrast is None else 255 * stimulus.contrast
    if levels < MIN_GREY_LEVELS:
        on_message(
            f"stimulus.{stimulus.constraint} {getattr(stimulus, stimulus.constraint):g} is a contrast of {levels:.2g} "
            f"of 255 grey levels (RMS) for model '{model.name}': no picture shows it; give more, or clip: true"
        )


def _asked(settings: ObserverSettings, model: NeuronModel) -> list[int]:
    """The neurons that it is about: all where images or responses are compared and none is named."""
    if settings.objective.ALL_NEURONS and settings.named_neurons is None:
        return model.every_neuron
    return list(settings.neurons)


def _build_validator(settings: ObserverSettings, observer: Observer, on_message: Callable[[str], None]) -> Validator:
    second = load_card(settings.model.validate, on_message=on_message, trust_code=settings.trusts_code)
    first = observer.model
    if (second.image_size, second.channels) != (first.image_size, first.channels):
        taken = [f"{m.image_size[1]} x {m.image_size[0]} pixels in {m.channels} channels" for m in (second, first)]
        raise UserError(
            f"model.validate: model '{second.name}' takes {taken[0]}, '{first.name}' {taken[1]}; "
            "both must take the same"
        )
    if second.n_neurons != first.n_neurons:
        raise UserError(
            f"model.validate: model '{second.name}' has {second.n_neurons} neurons and '{first.name}' "
            f"{first.n_neurons}; both must be models of the same neurons"
        )
    shared = sorted(set(first.weights) & set(second.weights))
    if shared:
        raise UserError(
            f"model.validate: model '{second.name}' shares {shared[0]} with '{first.name}', and would judge its own "
            "stimuli; name a model of other weights"
        )
    neurons = second.check_neurons(settings.neurons)
    validator = Validator(second, build_objective(settings.objective, neurons, second.n_neurons), observer.stimulus)
    itself = _itself(settings, observer, validator)
    if itself:
        raise UserError(
            f"model.validate: model '{second.name}' {itself}, and would judge its own stimuli; name a model that was "
            "trained by itself"
        )
    return validator


def _itself(settings: ObserverSettings, observer: Observer, second: Validator) -> str:
    """Describe the evidence that a second model is the first one; empty where it is another."""
    model = observer.model
    if settings.model.card == settings.model.validate:
        return "is the very model that is optimized for"
    images = varied_images((model.channels, *model.image_size))
    alike = answer_alike(
        observer.neurons, lambda model_input: second.neurons(model_input * second.gain + second.offset), images
    )
    if alike:
        return f"answers to {len(images)} images just as '{model.name}' does"
    both = model.module, second.model.module
    # Two functions may share all their weights; but not where neither answers, or a network is one of an ensemble's.
    if (alike is None or any(isinstance(each, Ensemble) for each in both)) and share_weights(*both):
        return f"has a network with the weights of one of '{model.name}'"
    return ""
