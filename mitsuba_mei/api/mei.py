"""The 3D maximally exciting input of a network in memory."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..config.card import Input
from ..config.fields import Part
from ..config.functions import HeldFunction, hold_function
from ..config.load import Config, SceneText
from ..config.objective import ACTIVATION_OBJECTIVES
from ..config.sections import RENDERERS, Optimizer
from ..errors import UserError, nearest
from ..experiments.base import Progress, RunResult
from ..experiments.mei import run_mei
from ..experiments.registry import run_experiment
from ..neurons.cards import NeuronModel, load_card
from ..neurons.in_memory import HeldModel, hold
from .folders import in_folder
from .progress import bar_of
from .results import Run
from .scene import Scene

__all__ = ["MEI"]


class MEI:
    """A neuron, and the scene that is optimized for it.

    Parameters
    ----------
    model : nn.Module, callable, Path, str or mapping
        A network in memory, from standardised images ``(B, channels, h, w)`` to responses ``(B, n)``; or a model card.
        A module is copied: it stays as it is, and training it further changes no run.
    neuron : int or sequence of int
        Whose response is maximised, counted from 0; of several the mean. Neuron 0 by default.
    input : Part, optional
        :func:`Input`: the images that a network in memory takes.
    scene : Scene, optional
        A sphere under a sun by default.
    renderer : {'path', 'raster'} or Part
        Path tracer or rasterizer; or :func:`Render`, with resolution and samples.
    stimulus : Part, optional
        :func:`Stimulus`: the constraint on contrast. A norm of 25 by default.
    objective : mapping or callable, optional
        As in a scene file, where it is another than the response: ``{"type": "discriminate"}``. Or a function of the
        responses ``(1, n)`` to one image, of all neurons, or of those that ``neuron`` lists in their order, or of the stimulus
        ``(1, channels, h, w)`` as the model takes it and the responses; it returns a scalar tensor.
    minimize : bool
        Find the least exciting stimulus.
    penalties : sequence of callable, optional
        Functions of the scene's state (:class:`~mitsuba_mei.scene.state.SceneState`: ``state.vertices`` and so on) that
        return a scalar tensor. They are added to the loss, in which the activation counts as about 1.
    output : int or str, optional
        Which of the tensors that a network in memory returns are the responses.
    validate : Path, str or mapping, optional
        The card of a second model, which judges the stimulus.
    seed : int
        Of everything random.
    deterministic : bool
        The same to the last bit every time, with a single thread.
    trust_code : bool
        Whether code that a model card names may be run.
    **sections : mapping
        Further sections of the scene file: ``regularizers={"area": 0}``, ``evaluate={"spp": 256}``.

    Raises
    ------
    UserError
        For what a scene file may not say either; a model that is none, or needs an ``input``.

    Examples
    --------
    >>> import torch, mitsuba_mei as mm
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 9), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(3))
    >>> _ = network(torch.zeros(1, 1, 32, 32))
    >>> mei = mm.MEI(network, neuron=2, input=mm.Input(size=32, mean=124.5, std=70.3), renderer="raster")
    >>> result = mei.optimize(steps=2, progress=False)
    >>> result.stimulus.shape
    (32, 32)
    """

    def __init__(
        self,
        model: Any = None,
        neuron: int | Sequence[int] | None = None,
        *,
        input: Part | None = None,
        scene: Scene | None = None,
        renderer: str | Part = "path",
        stimulus: Part | None = None,
        objective: Mapping[str, Any] | Callable[..., Any] | None = None,
        minimize: bool = False,
        penalties: Sequence[Callable[..., Any]] = (),
        output: int | str | None = None,
        validate: Any = None,
        seed: int = 0,
        deterministic: bool = False,
        trust_code: bool = False,
        **sections: Mapping[str, Any],
    ) -> None:
        scene = Scene() if scene is None else scene
        if not isinstance(scene, Scene):
            raise UserError(f"MEI: scene is a {type(scene).__name__}; give a mitsuba_mei.Scene")
        known = set(Config.model_fields) - {*scene.mapping, "lighting", "pose", "camera", "material", "placement"}
        for name in sections:
            if name not in known:
                every = {*known, *inspect.signature(MEI).parameters} - {"sections"}
                raise UserError(f"MEI takes no argument '{name}'; {nearest(name, every)}")
        held, card = _card(model, input, output)
        goal, function = _objective(objective, minimize)
        functions = [hold_function(each, f"penalties[{index}]") for index, each in enumerate(penalties)]
        self._held = (held, function, *functions)
        chosen: dict[str, Any] = {} if card is None else {"card": card}
        if neuron is not None:
            several = isinstance(neuron, Sequence) or hasattr(neuron, "__len__")
            chosen["neurons" if several else "neuron"] = [int(each) for each in neuron] if several else int(neuron)
        if validate is not None:
            chosen["validate"] = os.fspath(validate) if isinstance(validate, os.PathLike) else validate
        mapping: dict[str, Any] = {
            "seed": seed,
            "deterministic": deterministic,
            **scene.mapping,
            "model": chosen,
            "render": _render(renderer),
            **{
                name: value.model_dump()
                if isinstance(value, Part)
                else dict(value)
                if isinstance(value, Mapping)
                else value
                for name, value in sections.items()
            },
        }
        if stimulus is not None:
            mapping["stimulus"] = stimulus.model_dump()
        if goal:
            mapping["objective"] = goal
        if functions:
            mapping["penalties"] = [each.name for each in functions]
        free = scene.free or ()
        self.config = SceneText("MEI", mapping=mapping, trust_code=trust_code).config((), free, (), rendered=False)
        self._last: Run | None = None
        if held is not None or function is not None:
            model = load_card(self.config.model.card, trust_code=trust_code)
            model.check_neurons(self.config.neurons)
            if neuron is None and function is not None:
                chosen["neurons"] = model.every_neuron
                text = SceneText("MEI", mapping=mapping, trust_code=trust_code)
                self.config = text.config((), free, (), rendered=False)

    def __repr__(self) -> str:
        neurons = ", ".join(map(str, self.config.neurons))
        card = self.config.model.card
        name = card.get("name") or card.get("type") if isinstance(card, Mapping) else Path(card).stem
        return f"MEI({name}, neuron {neurons}, {self.config.render.type})"

    def with_settings(self, *overrides: str) -> Config:
        """The scene file of this problem with some values changed.

        Parameters
        ----------
        *overrides : str
            As ``"optimizer.steps=50"``.

        Returns
        -------
        Config
            Complete, with every default.
        """
        text = SceneText("MEI", overrides, trust_code=self.config.trusts_code, mapping=self.config.model_dump())
        return text.config(rendered=False)

    def optimize(
        self,
        steps: int | None = None,
        *,
        out: Path | str | None = None,
        progress: bool | str = True,
        compare_to: str | None = None,
        **optimizer: Any,
    ) -> Run:
        """Optimize the scene's free parameters, and evaluate what they come to.

        A second call goes on from where the first one ended, after an interrupt too, with a learning rate that rises
        and falls once more; :meth:`restart` begins anew.

        Parameters
        ----------
        steps : int, optional
            200 by default.
        out : Path or str, optional
            A new run folder. Without it the run is kept as long as the result is, and :meth:`Run.save` writes it.
        progress : bool or 'live'
            Whether a bar is shown; in a notebook ``'live'`` shows the render and the activation so far too.
        compare_to : {'pixel'}, optional
            Find the pixel MEI too, and give the ratio of the activations.
        **optimizer
            As in the section ``optimizer`` of a scene file: ``lr``, ``restarts``, ``search``, ``patience``.

        Returns
        -------
        Run
            Its ``activation.final`` is converged: mean and standard error of independent renders. After an interrupt
            ``ended`` says so, and all the rest is of what was reached.

        Raises
        ------
        UserError
            For whatever the user can mend, before the first step.
        """
        for name in optimizer:
            if name not in Optimizer.model_fields:
                every = {*Optimizer.model_fields, *inspect.signature(self.optimize).parameters} - {"optimizer"}
                raise UserError(f"optimize() takes no argument '{name}'; {nearest(name, every)}")
        changed = optimizer | ({} if steps is None else {"steps": steps})
        mapping = self.config.model_dump()
        mapping["optimizer"] |= changed
        mapping["compare_to"] = compare_to or mapping["compare_to"]
        config = SceneText("MEI", trust_code=self.config.trusts_code, mapping=mapping).config()
        goes_on = self._last is not None and config.objective.type in ACTIVATION_OBJECTIVES
        if goes_on and (config.optimizer.restarts > 1 or config.optimizer.search):
            raise UserError(
                "optimize() goes on from its last result, but is to search for starts; call restart() first"
            )
        start = self._last.parameters if goes_on else None

        def experiment(folder: Path, bar: Progress) -> RunResult:
            return run_mei(config, folder, bar, start=start) if goes_on else run_experiment(config, folder, bar)

        self._last = in_folder(experiment, bar_of(progress), out, self._held, config.trusts_code)
        return self._last

    def restart(self) -> None:
        """Let the next :meth:`optimize` begin from the scene as it was given."""
        self._last = None


def _render(renderer: str | Part) -> dict[str, Any]:
    if isinstance(renderer, Part):
        return renderer.model_dump()
    if renderer not in RENDERERS:
        raise UserError(f"MEI: there is no renderer '{renderer}'; {nearest(str(renderer), RENDERERS)}")
    return {"type": renderer}


def _objective(objective: Any, minimize: bool) -> tuple[dict[str, Any], HeldFunction | None]:
    """The mapping of a scene file, and what holds a function of the user's own."""
    direction = {"direction": "minimize"} if minimize else {}
    if objective is None:
        return direction, None
    if isinstance(objective, Mapping):
        kind = objective.get("type", "activation")
        if minimize and kind != "activation":
            raise UserError(f"MEI: minimize is for the activation or a function, not for objective.type {kind}")
        return {**objective, **direction}, None
    function = hold_function(objective, "objective")
    return {"type": "function", "function": function.name, **direction}, function


def _card(model: Any, image: Part | None, output: int | str | None) -> tuple[HeldModel | None, Any]:
    """A model card, and what holds the model where it lives in memory."""
    if model is None or isinstance(model, (str, os.PathLike, Mapping)):
        if image is not None or output is not None:
            raise UserError("MEI: input and output are of a network in memory; a model card says them itself")
        return None, os.fspath(model) if isinstance(model, os.PathLike) else model
    if isinstance(model, NeuronModel):
        if image is not None or output is not None:
            raise UserError("MEI: input and output are of a network in memory; a model card says them itself")
        return None, model.card
    if not isinstance(image, Input):
        raise UserError(
            "MEI: a network in memory needs input=mitsuba_mei.Input(size, channels, mean, std): the images that it takes"
        )
    held = hold(model, image, output)
    return held, held.card
