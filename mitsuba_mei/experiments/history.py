"""What is kept of the steps of an optimization: rows, pictures, and where they are taken up again."""

from __future__ import annotations

import time

import numpy as np
import torch
import trimesh

from ..errors import UserError
from ..optimize.loss import MEAN_ACTIVATION
from ..optimize.optimizer import Step
from ..optimize.state import HistoryState, Snapshot, checked_array, checked_numbers
from ..pipeline import Pipeline
from ..runs.checkpoint import Checkpoints
from ..runs.folder import RunFolder
from ..runs.spread import named_value
from ..scene.scene import Scene
from .base import Progress

__all__ = ["FRAMES", "History", "frame", "kept_record", "posed_mesh", "rendered"]

FRAMES = 60
"""About how many pictures the animation has."""


def kept_record(snapshot: Snapshot) -> HistoryState:
    """What a state says of the record that belongs to it; raises UserError where it is damaged."""
    return checked_numbers(HistoryState, snapshot.numbers)


class History:
    """What is kept of every step.

    Parameters
    ----------
    folder : RunFolder
    pipeline : Pipeline
    progress : Progress
    objective : str
        Its ``objective.type``, by which what is maximised has its name.
    restart : int
    every : int
        Steps from one picture to the next.
    scenes : int
        How many lie side by side in a step's image.

    Attributes
    ----------
    history : dict of str to list of float
        By step: ``activation``, what was maximised whatever its name, and every term.
    frames : list of (ndarray, ndarray)
    """

    def __init__(
        self,
        folder: RunFolder,
        pipeline: Pipeline,
        progress: Progress,
        objective: str,
        restart: int,
        every: int,
        scenes: int = 1,
    ) -> None:
        self._name, self._sign = named_value(objective)
        self.folder, self.pipeline, self.progress = folder, pipeline, progress
        self.restart, self.every, self.scenes = restart, every, scenes
        self.history: dict[str, list[float]] = {"activation": []}
        self.frames: list[np.ndarray] = []
        self._checkpoints = Checkpoints(folder)
        self._started = time.perf_counter()

    def kept(self, snapshot: Snapshot, seconds: float) -> Snapshot:
        """A state of the optimization, and with it what there is of the record."""
        more = {"metrics": self.folder.metrics_size, "seconds": seconds, "frames": len(self.frames)}
        history = {f"history.{name}": np.array(values) for name, values in self.history.items()}
        return Snapshot(snapshot.numbers | more, snapshot.arrays | history)

    def restore(self, snapshot: Snapshot, checkpoints: Checkpoints) -> None:
        """Take up what :meth:`kept` gave."""
        arrays = snapshot.arrays
        steps = arrays.get("history.activation", np.empty(0)).shape[:1]
        named = {name.removeprefix("history."): name for name in arrays if name.startswith("history.")}
        self.history |= {name: checked_array(arrays, key, steps, False).tolist() for name, key in named.items()}
        blank = self._blank()
        for name in (f"frame-{self.restart}-{i}" for i in range(kept_record(snapshot).frames)):
            try:
                still = checkpoints.read(name)
                self.frames.append(checked_array({} if still is None else still.arrays, "render", blank.shape, False))
            except UserError:  # in its place, so that the later ones stay those of their steps
                self.frames.append(blank)
                self.progress.message(f"the picture {name} is damaged or gone, and black in the video")

    def _blank(self) -> np.ndarray:
        """A render of nothing."""
        pipeline = self.pipeline
        side, across = pipeline.renderer.resolution, max(1, len(pipeline.cameras)) * self.scenes
        return np.zeros((side, across * side, pipeline.scene.channels), np.float32)

    def add(self, step: Step) -> None:
        """Keep a step, and tell of it."""
        named, terms = {self._name: self._sign * step.activation}, step.terms
        if self.folder.columns and self._name not in self.folder.columns:
            # A run that an earlier version began, which called whatever was maximised activation.
            named = {"activation": step.activation}
            terms = {name: term for name, term in terms.items() if name != MEAN_ACTIVATION}
        row = {"restart": self.restart, "step": step.step, **named, "loss": step.loss}
        row |= terms
        row |= {f"gradient_{name}": norm for name, norm in step.gradient_norm.items()}
        row |= {"skipped": int(step.skipped), "seconds": round(time.perf_counter() - self._started, 4)}
        self.folder.add_metrics(row)
        for name, value in {"activation": step.activation, **terms}.items():
            self.history.setdefault(name, []).append(value)
        if (step.step - 1) // self.every >= len(self.frames):
            self.frames.append(rendered(step.image))
            name = f"frame-{self.restart}-{len(self.frames) - 1}"
            self._checkpoints.write(name, Snapshot({}, {"render": self.frames[-1]}), durable=False)
        first = {name: terms[name] for name in (MEAN_ACTIVATION,) if name in terms}
        self.progress.step({**first, **named, **terms, "render": step.image})


def rendered(image: torch.Tensor) -> np.ndarray:
    """A render (H, W, C) as it is kept; what is not finite is black."""
    return image.detach().nan_to_num(0.0, 0.0, 0.0).cpu().numpy()


def frame(pipeline: Pipeline, image: torch.Tensor, scenes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """A render (H, W, C), and the grey levels that the neurons saw of it.

    Of several scenes, whose renders lie side by side, each is seen by itself. What is not finite is black.
    """
    image = image.nan_to_num(0.0, 0.0, 0.0)
    with torch.no_grad():
        grey = torch.cat([pipeline.observer.display_image(render) for render in image.chunk(scenes, dim=1)], dim=1)
    return rendered(image), grey.cpu().numpy()


def posed_mesh(scene: Scene) -> trimesh.Trimesh:
    """The object as it stands in a scene."""
    with torch.no_grad():
        vertices = scene.pose(scene.shape()).cpu().numpy()
    return trimesh.Trimesh(vertices, scene.faces.cpu().numpy(), process=False)
