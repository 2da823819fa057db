"""The schema of what the neurons are shown of a render."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from .parts import Part, Positive

__all__ = ["DEFAULT_NORM", "Stimulus"]

DEFAULT_NORM = 25.0


class Mask(Part):
    """A gaussian window on the receptive field, outside of which the stimulus is grey."""

    sigma: float = Field(0.4, gt=0, le=10, description="Standard deviation, half image widths.")
    center: Annotated[tuple[float, float], Field(strict=False)] = Field(
        (0.0, 0.0), description="x to the right, y up, half image widths."
    )


class Stimulus(Part):
    """From the render to what the neuron sees; exactly one of norm, contrast and clip (norm 25 where none is said)."""

    size: Annotated[int, Field(ge=8, le=4096)] | None = Field(
        None, description="Width and height, pixels; null takes the model's."
    )
    norm: Positive | None = Field(None, description="Euclidean norm of the standardised image.")
    mean: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="Mean luminance, 0 black to 1 white; goes with contrast, default 0.5."
    )
    contrast: Positive | None = Field(
        None, description="RMS contrast: standard deviation of luminance, in fractions of the display's range."
    )
    clip: bool = Field(False, description="Clip the luminance to 0..1, the displayable range.")
    mask: Mask | None = Field(None, description="A window on the receptive field; null shows the whole image.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if all(data.get(name) is None for name in ("norm", "contrast", "mean")) and not data.get("clip"):
            data = {**data, "norm": DEFAULT_NORM}
        if data.get("contrast") is not None and data.get("mean") is None:
            data = {**data, "mean": 0.5}
        return data

    @model_validator(mode="after")
    def _one_constraint(self) -> Stimulus:
        given = [name for name in ("norm", "contrast", "clip") if getattr(self, name)]
        if len(given) > 1:
            raise ValueError(
                f"{' and '.join(given)} exclude each other; keep one of norm, contrast and clip, "
                "and set the others to null"
            )
        if self.mean is not None and self.contrast is None:
            raise ValueError("mean goes with contrast; give both, or neither")
        return self
