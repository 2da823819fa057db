"""YAML whose every value remembers the file and line that it came from."""

from .change import merge, with_value
from .located import Key, Located, Place, locate, path_text
from .text import parse, read, write

__all__ = ["Key", "Located", "Place", "locate", "merge", "parse", "path_text", "read", "with_value", "write"]
