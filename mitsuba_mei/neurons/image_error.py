"""Errors between a scene's images and target images, in pixels or in responses of neurons."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UserError
from .observer import Observation, Observer

__all__ = ["ERRORS", "ImageError"]

MIN_CONTRAST = 1e-5
"""A target's contrast below this part of its radiance is rounding."""


@dataclass
class ImageError(Observer):
    """Compares images with a target's. What is maximised is minus the error, 0 at best.

    Attributes
    ----------
    target : Tensor
        (H, V W, C): what is to be seen from each of V cameras, side by side, linear radiance.
    views : int
        V.
    error : str
        One of :data:`ERRORS`.

    Raises
    ------
    UserError
        If the target shows nothing to compare with.
    """

    target: Tensor = field(kw_only=True)
    views: int = field(kw_only=True, default=1)
    error: str = field(kw_only=True, default="l2")

    def __post_init__(self) -> None:
        with torch.no_grad():
            self._reference, _ = self._values(self.target)
            error, answers = ERRORS[self.error], self.error == "responses"
            # Each view's contrast counts, about its own mean.
            level = 0 if answers else self._reference.mean(dim=(1, 2), keepdim=True)
            self._scale = error(self._reference - level).item()
            least = 0.0 if answers else MIN_CONTRAST * error(self._reference).item()
        if self._scale <= least:
            what = "the neurons are silent at" if answers else "nothing is to be seen in"
            raise UserError(f"{what} the target image, so that there is nothing to compare with")

    def observe(self, image: Tensor) -> Observation:
        """Compare what the cameras see, (H, V W, C)."""
        values, model_input = self._values(image)
        error = ERRORS[self.error](values - self._reference) / self._scale
        return Observation(
            image, model_input, values.reshape(-1) if self.error == "responses" else values.new_zeros(0), -error
        )

    def is_visible(self, image: Tensor) -> bool:
        """Whether anything is to be seen in what the cameras see: a uniform image can be compared too."""
        return True

    def difference(self, image: Tensor) -> Tensor:
        """Difference of the rendered from the target images (H, V W, C), the mean over channels (H, V W); radiance."""
        return (image - self.target).mean(dim=-1)

    def is_silent(self, look: Observation) -> bool:
        """Whether the neurons are the reason where nothing changes the error: not where there is none."""
        return look.activation.item() != 0

    def optimum(self) -> None:
        """There is no fraction of an error of 0."""
        return None

    def smaller(self, size: int) -> ImageError:
        """The same for images of ``size`` pixels along a side, each the mean of what lay there."""
        views = torch.stack(self.target.chunk(self.views, dim=1)).permute(0, 3, 1, 2)
        target = torch.cat(tuple(F.interpolate(views, (size, size), mode="area").permute(0, 2, 3, 1)), dim=1)
        return replace(self, target=target)

    def _values(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Values to compare, and the input that they are computed from."""
        if self.error != "responses":
            return torch.stack(image.chunk(self.views, dim=1)), image
        model_input = torch.cat([self.stimulus(view) for view in image.chunk(self.views, dim=1)])
        return self.neurons(model_input), model_input


def _root_mean_square(values: Tensor) -> Tensor:
    return torch.linalg.vector_norm(values) / math.sqrt(values.numel())


def _mean_absolute(values: Tensor) -> Tensor:
    return values.abs().mean()


def _length(values: Tensor) -> Tensor:
    return torch.linalg.vector_norm(values)


ERRORS = {"l2": _root_mean_square, "l1": _mean_absolute, "responses": _length}
"""Of differences of images, or of responses."""
