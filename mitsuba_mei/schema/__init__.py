"""What a scene file may say: every key, its type, its unit, its bounds and its default.

The classes mirror the file. Where a mapping has a ``type``, the other fields are exactly the keyword arguments of the
class that it builds: ``REGISTRY[part.type](**part.model_dump(exclude={"type"}))``.
"""

from .evaluation import Compare, Pixel
from .experiment import Config
from .objective import DIFFERENCES, DRIVES, Activation
from .optimizer import MOST_RESTARTS
from .parts import FilePathMarker, Part, listed_neurons
from .render import RENDERERS
from .scene import Placement
from .sweep import MOST_RUNS, Address, Slurm, Sweep, Workers, bytes_of

__all__ = [
    "DIFFERENCES",
    "DRIVES",
    "MOST_RESTARTS",
    "MOST_RUNS",
    "RENDERERS",
    "Activation",
    "Address",
    "Compare",
    "Config",
    "FilePathMarker",
    "Part",
    "Pixel",
    "Placement",
    "Slurm",
    "Sweep",
    "Workers",
    "bytes_of",
    "listed_neurons",
]
