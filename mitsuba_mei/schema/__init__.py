"""What a scene file may say: every key, its type, its unit, its bounds and its default.

The classes mirror the file. Where a mapping has a ``type``, the other fields are exactly the keyword arguments of the
class that it builds: ``REGISTRY[part.type](**part.model_dump(exclude={"type"}))``.
"""

from .experiment import MOST_RESTARTS, Config, Pixel
from .parts import FilePathMarker, Part

__all__ = ["MOST_RESTARTS", "Config", "FilePathMarker", "Part", "Pixel"]
