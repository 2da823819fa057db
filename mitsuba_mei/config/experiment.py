"""The schema of a whole experiment: the scene, how it is rendered, who looks, what is maximised, and how."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PrivateAttr, model_validator

from .fields import Disagreements, NonNegative
from .groups import ObserverSettings, RunSettings, SceneSettings, part_of
from .objective import ACTIVATION_OBJECTIVES, Activation, Objective
from .scene import Camera, Constant, Diffuse, Emitter, Material, Placement, Pose, Shape, Sun
from .sections import DEFAULT_NORM, Compare, Evaluate, Model, Optimizer, Pixel, Regularizers, Render, Stimulus
from .variants import Variants

__all__ = ["Config"]


def _lit(value: tuple[Emitter, ...]) -> tuple[Emitter, ...]:
    if not value:
        raise ValueError("needs at least one light")
    return value


class Config(Variants):
    """A scene file: what is shown, how, to whom, and how it is improved."""

    seed: int = Field(0, ge=0, lt=2**32, description="Of everything random.")
    deterministic: bool = Field(
        False, description="The same to the last bit every time: with a single thread, and so more slowly."
    )
    shape: Shape = Shape()
    pose: Pose = Pose()
    placement: Placement = Placement()
    camera: Camera = Camera()
    lighting: Annotated[tuple[Emitter, ...], AfterValidator(_lit), Field(strict=False)] = Field(
        (Sun(), Constant()), description="Any number of lights."
    )
    material: Material = Diffuse()
    background: NonNegative = Field(0.5, description="Radiance behind the object, which no light changes.")
    render: Render = Render()
    stimulus: Stimulus = Stimulus(norm=DEFAULT_NORM)
    model: Model = Model()
    objective: Objective = Activation()
    regularizers: Regularizers = Regularizers()
    penalties: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="Functions of Python that are added to the loss; only a program that holds them can run it."
    )
    optimizer: Optimizer = Optimizer()
    evaluate: Evaluate = Evaluate()
    pixel: Pixel = Pixel()
    compare_to: Literal["pixel"] | None = Field(
        None, description="pixel: find the pixel MEI too, and report the ratio of the activations."
    )
    compare: Compare = Compare()

    _trusts_code: bool = PrivateAttr(False)

    @property
    def trusts_code(self) -> bool:
        """Whether the user said that code which a model card names may be run. No file can say so."""
        return self._trusts_code

    def trusting_code(self, is_trusted: bool) -> Config:
        """A copy with this answer; it is not written into files."""
        config = self.model_copy()
        config._trusts_code = is_trusted
        return config

    @property
    def scene(self) -> SceneSettings:
        """Settings that build the scene."""
        return part_of(self, SceneSettings)

    @property
    def observer(self) -> ObserverSettings:
        """Settings of model, stimulus and objective."""
        return part_of(self, ObserverSettings)

    @property
    def run(self) -> RunSettings:
        """Settings of optimization and evaluation."""
        return part_of(self, RunSettings)

    @property
    def neurons(self) -> tuple[int, ...]:
        """Whose activation is maximised, wherever the file says it; neuron 0 where it does not."""
        return (0,) if self.named_neurons is None else self.named_neurons

    @property
    def named_neurons(self) -> tuple[int, ...] | None:
        """The neurons that the file names, if any."""
        candidates = (self.objective.neurons, self.model.neurons, self.model.neuron)
        chosen = next((neurons for neurons in candidates if neurons is not None), None)
        return chosen if chosen is None or isinstance(chosen, tuple) else (chosen,)

    @model_validator(mode="after")
    def _agree(self) -> Config:
        """Every value fits by itself: see to it that they fit each other, and tell of all that do not."""
        problems = []
        for check in (
            self._placed_once,
            self._starts_differ,
            self._seen_by_views,
            self._can_differ,
            self._many_already,
            self._compared,
            self._searched,
            self._listed_for_activation,
            self._neurons_agree,
        ):
            try:
                check()
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise Disagreements(*problems)
        return self

    def _placed_once(self) -> None:
        if self.placement.on is not None and (any(self.pose.translation) or self.pose.scale != 1):
            raise ValueError("placement.on sets pose.translation and pose.scale; leave these two out, or placement.on")

    def _starts_differ(self) -> None:
        moved = "offsets" in self.shape.free or self.pose.free or self.optimizer.search
        if self.optimizer.restarts > 1 and not moved:
            raise ValueError(
                f"optimizer.restarts is {self.optimizer.restarts}, but neither shape.offsets nor the pose is free, so "
                "that all starts would be the same; free one, search for starts (optimizer.search), or set it to 1"
            )

    def _seen_by_views(self) -> None:
        if self.objective.type == "image" and self.camera.free:
            views = self.objective.views
            if len(views) > 1 or any(getattr(views[0], name) is not None for name in self.camera.free):
                raise ValueError(
                    "camera.free moves the camera, but objective.views says where it stands; freeze it, or leave views "
                    "out"
                )

    def _can_differ(self) -> None:
        differ = getattr(self.objective, "differ", None)
        free = {
            "shape": self.shape.free,
            "pose": [name for name in self.pose.free if name == "rotation"],
            "light": [name for light in self.lighting for name in light.free if name in ("direction", "position")],
        }
        if differ in free and not free[differ]:
            needed = {"shape": "shape.offsets", "pose": "pose.rotation", "light": "a light's direction or position"}
            raise ValueError(f"objective.differ is {differ}, but {needed[differ]} is not free; free it")

    def _many_already(self) -> None:
        if self.objective.type != "diverse":
            return
        if self.optimizer.restarts > 1:
            raise ValueError(
                f"objective.count says how many scenes there are, each from a start of its own; leave "
                f"optimizer.restarts at 1, not {self.optimizer.restarts}"
            )
        if self.optimizer.search:
            raise ValueError(
                "optimizer.search looks for one start, and objective.type diverse has objective.count of them; leave "
                "it at 0"
            )
        placed = [name for light in self.lighting for name in light.free if name in ("direction", "position")]
        if not ("offsets" in self.shape.free or self.pose.free or placed):
            raise ValueError(
                "objective.type is diverse, but neither shape.offsets, the pose nor a light's direction or position is "
                "free, so that all scenes would start the same; free one"
            )

    def _compared(self) -> None:
        kind = self.objective.type
        asked = {"compare_to": self.compare_to, "model.validate": self.model.validate}
        for name, value in asked.items():
            if value is not None and kind not in ACTIVATION_OBJECTIVES:
                *some, last = ACTIVATION_OBJECTIVES
                raise ValueError(
                    f"{name} goes with objective.type {', '.join(some)} or {last}, not '{kind}', whose result is no "
                    "activation; leave it out"
                )
        if self.compare_to is not None and self.objective.sign < 0:
            raise ValueError(
                "compare_to is the pixel MEI's activation, and objective.direction is minimize; leave one of them out "
                "(the command pixel finds the least exciting pixels)"
            )

    def _searched(self) -> None:
        turned = "rotation" in self.pose.free or any("direction" in light.free for light in self.lighting)
        if self.optimizer.search and not turned:
            raise ValueError(
                "optimizer.search tries turns of the object and directions of lights, but neither pose.rotation nor a "
                "light's direction is free; free one, or set it to 0"
            )

    def _listed_for_activation(self) -> None:
        if self.compare.neurons is not None and self.objective.type != "activation":
            raise ValueError(
                f"compare.neurons lists neurons whose activations are compared, but objective.type is "
                f"'{self.objective.type}', which has neurons of its own; leave one of them out"
            )

    def _neurons_agree(self) -> None:
        neurons = {
            "model.neuron": self.model.neuron,
            "model.neurons": self.model.neurons,
            "objective.neurons": self.objective.neurons,
        }
        neurons = {
            name: value if isinstance(value, tuple) else (value,)
            for name, value in neurons.items()
            if value is not None
        }
        if len(set(neurons.values())) > 1:
            raise ValueError(
                f"{' and '.join(neurons)} name different neurons; keep one of them, and set the other to null"
            )
        for name in getattr(self.objective, "PER_NEURON", ()):
            numbers = getattr(self.objective, name)
            if numbers is not None and len(numbers) != len(self.neurons):
                raise ValueError(
                    f"objective.{name} has {len(numbers)} numbers for {len(self.neurons)} neurons; give one for each"
                )
