"""Model cards: one YAML file a neuron model, and the model that it describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..config.card import CARDS, Card, Input
from ..config.validation import validate
from ..config.yaml.located import Located, locate
from ..config.yaml.text import read
from ..errors import Place, UserError, nearest
from ..objectives import check_neurons
from ..stimulus import Stimulus
from .custom_module import GuardedModule, check_function, count_neurons, watched
from .formats import CardContext, build_model
from .freeze import freeze
from .process_state import process_restored, put_back
from .wrappers import explained

__all__ = ["NeuronModel", "grey_levels", "load_card"]

SMALL = 2.0
"""Mean and standard deviation up to here are hardly grey levels of 255."""


@dataclass(frozen=True)
class NeuronModel:
    """Neurons, and what the rest needs to know about them.

    Attributes
    ----------
    module : nn.Module
        From standardised images ``(B, channels, h, w)`` to responses ``(B, n_neurons)``; float32, in evaluation mode,
        its parameters without gradients.
    image_size : (h, w)
        Pixels.
    channels : 1 or 3
    mean, std : float or three floats
        Grey levels (0 to 255) that images are standardised with.
    name, description, citation, licence : str
    n_neurons : int
    sensible : tuple of (int, int) or None
        Ranges, ends included, of the neurons that make sense; None is all.
    weights : tuple of str
        Where published weights came from.
    guarded : bool
        Whether the module is code of others (:class:`~mitsuba_mei.config.card.Card`).
    card : str, dict or None
        The card's file, or what it says.
    """

    module: nn.Module
    image_size: tuple[int, int]
    channels: int
    mean: float | tuple[float, ...]
    std: float | tuple[float, ...]
    name: str
    description: str
    citation: str
    licence: str
    n_neurons: int
    sensible: tuple[tuple[int, int], ...] | None = None
    weights: tuple[str, ...] = ()
    guarded: bool = True
    card: str | dict[str, Any] | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """Responses ``(B, n_neurons)`` to standardised images ``(B, channels, h, w)``."""
        return self.module(image)

    def check_neurons(self, neurons: int | Sequence[int]) -> list[int]:
        """The indices as a list.

        Raises
        ------
        UserError
            Where one is outside ``0..n_neurons - 1``, named twice, not among those that make sense, or none is there.
        """
        try:
            listed = check_neurons(neurons, self.n_neurons)
        except UserError as error:
            raise UserError(f"model '{self.name}': {error}") from None
        for index in listed:
            if self.sensible is not None and not any(first <= index <= last for first, last in self.sensible):
                ranges = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in self.sensible)
                raise UserError(
                    f"model '{self.name}': neuron {index} is not among those that its card says make sense: {ranges}"
                )
        return listed

    @property
    def every_neuron(self) -> list[int]:
        """All that make sense."""
        ranges = ((0, self.n_neurons - 1),) if self.sensible is None else self.sensible
        return [index for first, last in ranges for index in range(first, last + 1)]

    def select(self, neurons: Sequence[int]) -> nn.Module:
        """The model of these neurons alone, ``(B, len(neurons))``, in this order.

        A module with a method ``select(neurons)`` says itself how to leave the others out; else all are computed.
        """
        neurons = list(neurons)
        selects = callable(getattr(self.module, "select", None))
        if not self.guarded:
            return self.module.select(neurons).eval() if selects else freeze(_Chosen(self.module, neurons))
        chosen = _Chosen(self.module, neurons)
        if selects:
            chosen = self._selected_by_itself(neurons, chosen)
        return freeze(GuardedModule(chosen, self.name))

    def _selected_by_itself(self, neurons: list[int], expected: nn.Module) -> nn.Module:
        """Call a user's ``select``, and check that it answers as the whole model does."""
        device = next((p.device for p in self.module.parameters()), torch.device("cpu"))
        image = torch.linspace(-1, 1, self.image_size[0] * self.image_size[1], device=device)
        image = image.reshape(1, 1, *self.image_size).expand(1, self.channels, -1, -1)
        with torch.no_grad():
            try:
                with process_restored():
                    chosen = freeze(self.module.select(neurons).to(device))
                    actual = chosen(image)
            except (Exception, SystemExit) as error:
                raise UserError(f"model '{self.name}': its select({neurons}) fails: {explained(error)}") from None
            target = expected(image)
        if actual.shape != target.shape or not torch.allclose(actual, target, rtol=1e-3, atol=1e-5):
            raise UserError(
                f"model '{self.name}': its select({neurons}) answers otherwise than the model's neurons {neurons}; "
                "mend it, or leave it out"
            )
        return chosen

    def optimum(
        self, neurons: Sequence[int], stimulus: Stimulus, weights: Sequence[float] | None = None
    ) -> float | None:
        """The best (weighted) mean response under the stimulus' constraint, where the module knows it; else None.

        A module knows it if it has a method ``optimum(neurons, stimulus, weights)``.
        """
        known = getattr(self.module, "optimum", None)
        return None if known is None else known(neurons, stimulus, weights)


class _Chosen(nn.Module):
    """Some of a module's responses."""

    def __init__(self, module: nn.Module, neurons: Sequence[int]) -> None:
        super().__init__()
        self.module, self.neurons = module, list(neurons)

    def forward(self, image: Tensor) -> Tensor:
        return self.module(image)[:, self.neurons]


def load_card(
    card: Path | str | Mapping[str, Any],
    folder: Path | None = None,
    on_message: Callable[[str], None] = lambda text: None,
    trust_code: bool = False,
) -> NeuronModel:
    """The model that a card describes, tried on a uniform image.

    Parameters
    ----------
    card : Path, str or mapping
        A YAML file, or what such a file says.
    folder : Path, optional
        What a mapping's files are relative to; the working directory by default. A file's are relative to itself.
    on_message : callable
        Told of downloads, as sentences.
    trust_code : bool
        Whether code that the card names (``module: file.py:callable``) may be run; a card can do nothing else than be
        read without it.

    Returns
    -------
    NeuronModel
        From standardised images to responses, with what its card says of both.

    Raises
    ------
    UserError
        If the card cannot be read or does not fit the schema, its weights cannot be had or do not fit, its module
        is not trusted, cannot be imported or built, or what comes out is not finite differentiable responses
        ``(B, n)``.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.load_model("models/v4_curvature.yaml").n_neurons
    32
    """
    if isinstance(card, Mapping):
        tree, stem = locate(card, Place("model.card", (folder or Path.cwd()).resolve())), "unnamed"
    else:
        tree, stem = read(card), Path(card).stem
    checked = _validated(tree)
    size = checked.input.size
    image_size = (size, size) if isinstance(size, int) else tuple(size)
    channels = checked.input.channels
    for field in ("mean", "std"):
        if channels == 1 and not isinstance(getattr(checked.input, field), float):
            raise UserError(f"{tree.at(('input', field))}: input.{field} has three numbers for one channel; give one")
    mean, std = grey_levels(checked.input, tree)
    module = freeze(build_model(checked, CardContext(image_size, tree.at, on_message, trust_code)))
    where = tree.at(("module",))
    # All of a large ensemble's neurons would take memory and time.
    selected = not checked.GUARDED and hasattr(module, "select")
    tried = module.select([0]) if selected else module
    changed: list[str] = []
    with process_restored(changed.append):
        answer = watched(tried, changed.append)
        count = count_neurons(answer, (2, channels, *image_size), where)
        count = module.n_neurons if selected else count
        if checked.GUARDED:
            check_function(answer, (channels, *image_size), where)
    if changed:
        on_message(f"{where}: {put_back('the model', changed)}")
    sensible = None if checked.neurons is None else tuple(checked.neurons)
    if sensible is not None and max(last for _, last in sensible) >= count:
        last = max(last for _, last in sensible)
        raise UserError(f"{tree.at(('neurons',))}: neurons names {last}, but the model has 0..{count - 1}")
    return NeuronModel(
        module=module,
        image_size=image_size,
        channels=channels,
        mean=mean,
        std=std,
        name=checked.name or stem,
        description=checked.description,
        citation=checked.citation,
        licence=checked.licence,
        n_neurons=count,
        sensible=sensible,
        weights=checked.sources(),
        guarded=checked.GUARDED,
        card=dict(card) if isinstance(card, Mapping) else str(Path(card).resolve()),
    )


def grey_levels(image: Input, tree: Located) -> tuple[float | tuple[float, ...], float | tuple[float, ...]]:
    """Mean and std in grey levels, 0 to 255, whatever range the card says them in.

    Raises
    ------
    UserError
        Where they cannot be of images in that range, or, where it says none, look like those of images in 0..1.
    """
    most = 255.0 if image.range is None else image.range[1]
    means, stds = (value if isinstance(value, tuple) else (value,) for value in (image.mean, image.std))
    statistics = f"input.mean is {_numbers(means)} and input.std {_numbers(stds)}"
    if max(means) > most:
        raise UserError(
            f"{tree.at(('input', 'mean'))}: {statistics}, but images are in {_numbers((0, most))}; see input.range"
        )
    if image.range is None and (min(stds) < 1 or max(*stds, *means) <= SMALL):
        raise UserError(
            f"{tree.at(('input', 'mean'))}: {statistics}, which look like those of images in 0..1; add range: [0, 1] "
            "to the input, or range: [0, 255] if they are grey levels"
        )
    if image.range is not None and max(stds) > most:
        raise UserError(
            f"{tree.at(('input', 'std'))}: {statistics}, but images are in {_numbers((0, most))}; see input.range"
        )
    scale = 255 / most
    mean, std = (
        tuple(scale * each for each in value) if isinstance(value, tuple) else scale * value
        for value in (image.mean, image.std)
    )
    return mean, std


def _numbers(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"[{', '.join(f'{value:g}' for value in values)}]"


def _validated(tree: Located) -> Card:
    if not isinstance(tree.value, dict):
        raise UserError(f"{tree.place}: a model card is a mapping with the keys type and input, or module and input")
    given = tree.child("type")
    if given is None and tree.child("module") is None:
        raise UserError(f"{tree.place}: a model card needs a type ({', '.join(CARDS)}), or module: file.py:callable")
    kind = "module" if given is None else given.value
    if not isinstance(kind, str) or kind not in CARDS:
        kind = str(given.plain())[:60]
        raise UserError(f"{given.place}: type: unknown type '{kind}'; {nearest(kind, CARDS)}")
    try:
        settings = CARDS[kind]
    except UserError as error:
        raise UserError(f"{given.place}: type: {error}") from None
    return validate(settings, tree)
