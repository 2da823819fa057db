"""The pictures of a scene: its renders and stimuli at first, on the way and at last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..io.images import common_exposure, to_srgb, write_exr, write_png
from ..pipeline import Pipeline
from ..report.grey_scale import DISPLAY, GreyScale
from ..report.video import write_video
from ..runs.folder import RunFolder
from .history import History, frame, rendered

__all__ = ["Companion", "RenderSequence", "write_final", "write_render"]

STILLS = 12
"""Moments of an optimization of which pictures are kept, at most."""

REST = 6
"""Frames of a video that show its end."""


@dataclass(frozen=True)
class Companion:
    """Pictures shown beside the renders of a run.

    Attributes
    ----------
    name : str
        In the files' names.
    of : callable
        From a render (H, W, C) to it.
    still : callable
        From it to 8-bit pixels, by itself.
    together : callable
        From all of a video to what turns one into 8-bit pixels, and to what is said of that.
    """

    name: str
    of: Callable[[np.ndarray], np.ndarray]
    still: Callable[[np.ndarray], np.ndarray]
    together: Callable[[Sequence[np.ndarray]], tuple[Callable[[np.ndarray], np.ndarray], str]]

    @classmethod
    def stimulus(cls, pipeline: Pipeline, scenes: int = 1) -> Companion:
        """What the neurons saw of each render; of ``scenes``, which lie side by side."""
        device = pipeline.scene.background.device

        def together(stimuli: Sequence[np.ndarray]) -> tuple[GreyScale, str]:
            scale = GreyScale.of(stimuli)
            return scale, f"stimulus: {scale.caption}"

        def of(render: np.ndarray) -> np.ndarray:
            return frame(pipeline, torch.from_numpy(render).to(device), scenes)[1]

        return cls("stimulus", of, DISPLAY, together)


@dataclass(frozen=True)
class RenderSequence:
    """Renders of an optimization (H, W, C), linear radiance, all shown at one exposure.

    Attributes
    ----------
    first, last : ndarray
        Converged.
    steps : sequence of ndarray
        Every ``every``-th, the first of them.
    every : int
    companion : Companion
    others : sequence of ndarray
        Renders that are to be compared with these.
    """

    first: np.ndarray
    last: np.ndarray
    steps: Sequence[np.ndarray]
    every: int
    companion: Companion
    others: Sequence[np.ndarray] = ()

    @classmethod
    def of(
        cls,
        pipeline: Pipeline,
        record: History,
        images: tuple[torch.Tensor, torch.Tensor],
        companion: Companion | None = None,
        others: Sequence[np.ndarray] = (),
    ) -> RenderSequence:
        """Of an experiment, from its record, and the initial and final image; ``companion`` is the stimulus."""
        first, last = map(rendered, images)
        companion = Companion.stimulus(pipeline, record.scenes) if companion is None else companion
        return cls(first, last, record.frames, record.every, companion, others)

    @cached_property
    def exposure(self) -> float:
        """Under which all of them can be displayed."""
        return common_exposure([self.first, self.last, *self.steps, *self.others])

    def write(self, folder: RunFolder) -> None:
        """Write the start, a video, and a few steps, evenly spread, under names that say the step."""
        companion = self.companion
        pictures = {"initial_render": lambda: self._render(self.first)}
        if companion.name == "stimulus":
            pictures["initial_stimulus"] = lambda: companion.still(companion.of(self.first))
        for index in sorted({round(i) for i in np.linspace(0, len(self.steps) - 1, STILLS)} if self.steps else ()):
            name = f"frames/step-{1 + index * self.every:05d}"
            pictures[f"{name}-render"] = lambda i=index: self._render(self.steps[i])
            pictures[f"{name}-{companion.name}"] = lambda i=index: companion.still(companion.of(self.steps[i]))
        for name, pixels in pictures.items():
            folder.adorn(f"{name}.png", lambda path: write_png(path, pixels()))
        if self.steps:
            folder.adorn("progress.mp4", self._write_video)

    def _render(self, render: np.ndarray) -> np.ndarray:
        return to_srgb(self.exposure * render)

    def _write_video(self, path: Path) -> None:
        renders = [*self.steps, self.last]
        companion = [self.companion.of(render) for render in renders]
        pixels, caption = self.companion.together(companion)
        frames = [(self._render(render), pixels(each)) for render, each in zip(renders, companion)]
        darker = f" at exposure {self.exposure:.2g}" if self.exposure < 0.995 else ""
        write_video(path, [*frames, *frames[-1:] * (REST - 1)], (f"render{darker}", caption))


def write_final(folder: RunFolder, pipeline: Pipeline, image: torch.Tensor, exposure: float, prefix: str = "") -> None:
    """Write a finished scene's render (H, W, C) and the neurons' input of it."""
    render, grey = frame(pipeline, image)
    with torch.no_grad():
        seen = pipeline.observer.stimulus(image).cpu().numpy()
    folder.write(f"{prefix}stimulus.npy", lambda path: np.save(path, seen))
    folder.adorn(f"{prefix}stimulus.png", lambda path: write_png(path, DISPLAY(grey)))
    write_render(folder, render, exposure, prefix)


def write_render(folder: RunFolder, render: np.ndarray, exposure: float, prefix: str = "") -> None:
    """Write a finished scene's render (H, W, C), and a picture of it under an exposure."""
    folder.write(f"{prefix}render.exr", lambda path: write_exr(path, render))
    folder.adorn(f"{prefix}render.png", lambda path: write_png(path, to_srgb(exposure * render)))
