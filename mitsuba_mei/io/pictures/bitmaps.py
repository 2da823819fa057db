"""Mitsuba's reader and writer of picture files, made ready where nothing renders."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...errors import UserError
from ..llvm import load_llvm

__all__ = ["file_threads", "prepare_files"]


@contextlib.contextmanager
def file_threads() -> Iterator[None]:
    """Within it, there are threads for EXR files: with a single one, Dr.Jit's pool never gets to them."""
    import drjit as dr

    before = dr.thread_count()
    if before > 1:
        yield
        return
    dr.set_thread_count(2)
    try:
        yield
    finally:
        dr.set_thread_count(before)


def prepare_files() -> None:
    """Have Mitsuba read and write image files, where no variant is set yet; LLVM need not be there."""
    with contextlib.suppress(UserError):
        load_llvm()
    import mitsuba as mi

    if mi.variant() is None:
        mi.set_variant("scalar_rgb")
