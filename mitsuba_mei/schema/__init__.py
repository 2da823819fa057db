"""What a scene file may say: every key, its type, its unit, its bounds and its default.

The classes mirror the file. Where a mapping has a ``type``, the other fields are exactly the keyword arguments of the
class that it builds: ``REGISTRY[part.type](**part.model_dump(exclude={"type"}))``.
"""

from .experiment import DIFFERENCES, DRIVES, MOST_RESTARTS, RENDERERS, Activation, Compare, Config, Pixel
from .parts import FilePathMarker, Part, listed_neurons
from .scene import Placement

__all__ = [
    "DIFFERENCES",
    "DRIVES",
    "MOST_RESTARTS",
    "RENDERERS",
    "Activation",
    "Compare",
    "Config",
    "FilePathMarker",
    "Part",
    "Pixel",
    "Placement",
    "listed_neurons",
]
