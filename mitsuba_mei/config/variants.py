"""The same scene file for another purpose: for one neuron of a list, by another renderer, with other things free."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from .fields import Part
from .objective import Activation
from .scene import Placement
from .sections import Compare

__all__ = ["Variants"]

Whole = TypeVar("Whole", bound="Variants")


class Variants(Part):
    """A whole configuration of which others can be made."""

    def for_each_neuron(self: Whole) -> list[Whole]:
        """One for each neuron that ``compare`` lists; where it lists none, one with the file's objective."""
        single = self.model_copy(update={"compare": Compare()})
        if self.compare.neurons is None:
            return [single]
        models = [self.model.model_copy(update={"neuron": n, "neurons": None}) for n in self.compare.neurons]
        return [single.model_copy(update={"model": model, "objective": Activation()}) for model in models]

    def with_renderer(self: Whole, renderer: str) -> Whole:
        """The same with another ``render.type``."""
        return self.model_copy(update={"render": self.render.model_copy(update={"type": renderer})})

    def with_free(self: Whole, paths: Collection[str]) -> Whole:
        """The same with exactly these parameters free, such as ``shape.offsets`` and ``lighting.0.direction``."""
        update: dict[str, Any] = {
            name: _freeing(getattr(self, name), name, paths) for name in ("shape", "pose", "camera", "material")
        }
        update["lighting"] = tuple(
            _freeing(light, f"lighting.{index}", paths) for index, light in enumerate(self.lighting)
        )
        return self.model_copy(update=update)

    def with_nothing_free(self: Whole) -> Whole:
        """The configuration with no free parameters and no placement, for parameters from elsewhere."""
        return self.with_free(()).model_copy(update={"placement": Placement()})


def _freeing(part: Part, where: str, paths: Collection[str]) -> Part:
    names = (path.rpartition(".") for path in paths)
    return part.model_copy(update={"free": tuple(name for place, _, name in names if place == where)})
