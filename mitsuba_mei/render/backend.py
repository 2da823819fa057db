"""Select Mitsuba's variant and the LLVM library, before Dr.Jit is imported, which cannot be undone."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import importlib.metadata
import os
import platform
import sys
from typing import Any

from ..errors import UserError, nearest
from ..io.llvm import load_llvm, probe_variant

__all__ = ["bound_threads", "cuda_problem", "describe", "prepare", "use_threads"]


def prepare(variant: str = "auto", channels: int = 1) -> str:
    """Choose the variant and its LLVM, and make it Mitsuba's current one.

    Parameters
    ----------
    variant : str
        ``auto``, or one of Mitsuba's differentiable variants: ``llvm_ad_mono``, ``llvm_ad_rgb``, ``cuda_ad_mono`` or
        ``cuda_ad_rgb``. ``auto`` takes CUDA where a GPU really renders, else LLVM.
    channels : int
        What the model takes: 1 (luminance) or 3 (RGB); ``auto`` follows it.

    Returns
    -------
    str
        The variant that is now set.

    Raises
    ------
    UserError
        If there is no such variant, no GPU for it, or no fitting LLVM.
    """
    name = _resolved(variant, channels)
    with contextlib.nullcontext() if name.startswith("llvm") else contextlib.suppress(UserError):
        load_llvm()
    import mitsuba as mi

    if name not in mi.variants():
        raise UserError(f"render.variant: Mitsuba has no variant '{name}'; {nearest(name, ['auto', *mi.variants()])}")
    try:
        mi.set_variant(name)
    except ImportError as error:
        raise UserError(f"render.variant: Mitsuba could not start '{name}': {str(error).splitlines()[0]}") from None
    return name


def use_threads(single: bool) -> None:
    """Have Dr.Jit compute with a single thread, whose sums have one order, or with as many as it likes."""
    import drjit as dr

    usual = _usual_threads()
    count = 1 if single else usual
    if dr.thread_count() != count:
        dr.set_thread_count(count)


def bound_threads(count: int) -> None:
    """Have Dr.Jit compute with so many threads of the processor, where it may use several."""
    load_llvm()
    import drjit as dr

    dr.set_thread_count(count)
    _usual_threads.cache_clear()
    _usual_threads()


@functools.cache
def _usual_threads() -> int:
    """Number of Dr.Jit's threads at the first call."""
    import drjit as dr

    return dr.thread_count()


def _resolved(variant: str, channels: int) -> str:
    colour = {1: "mono", 3: "rgb"}.get(channels)
    if colour is None:
        raise UserError(f"a model takes 1 or 3 channels, not {channels}")
    if variant == "auto":
        return f"{'llvm' if cuda_problem() else 'cuda'}_ad_{colour}"
    if not variant.startswith(("llvm_ad_", "cuda_ad_")):
        allowed = ["auto", *(f"{backend}_ad_{name}" for backend in ("llvm", "cuda") for name in ("mono", "rgb"))]
        raise UserError(f"render.variant: '{variant}' cannot be differentiated; {nearest(variant, allowed)}")
    if variant.startswith("cuda"):
        problem = cuda_problem()
        if problem:
            raise UserError(
                f"render.variant: '{variant}' needs a GPU that works, but {problem}; use auto or llvm_ad_{variant[8:]}"
            )
    return variant


@functools.cache
def cuda_problem() -> str | None:
    """Why CUDA cannot be used here; None where a device really renders.

    A driver that loads proves little (no device, no OptiX, a version that does not fit), so where there is a device a
    few pixels are rendered in a process of their own.
    """
    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
    except OSError:
        return "no NVIDIA driver is installed"
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        return "the NVIDIA driver finds no device"
    problem, _ = probe_variant("cuda_ad_mono")
    return None if problem is None else f"a first render on it failed ({problem})"


def describe() -> dict[str, Any]:
    """Describe the installed and the selected backends; never raises.

    Returns
    -------
    dict
        ``python``, ``platform``, the versions of ``mitsuba``, ``drjit``, ``torch`` and ``numpy`` (None where missing),
        ``variant`` (``auto`` for a luminance model), ``llvm`` (path), ``llvm_version``, ``threads``, ``gpu`` (what
        CUDA says: ``usable``, or why not), and ``problem`` (None where rendering works).
    """
    report: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in ("mitsuba", "drjit", "torch", "numpy"):
        try:
            report[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            report[package] = None
    report |= {
        "variant": None,
        "llvm": None,
        "llvm_version": None,
        "threads": os.cpu_count(),
        "gpu": None,
        "problem": None,
    }
    report["gpu"] = cuda_problem() or "usable"
    try:
        report["variant"] = prepare("auto", 1)
        import drjit as dr

        report["threads"] = dr.thread_count()
        report["llvm"] = os.environ.get("DRJIT_LIBLLVM_PATH")
        version = dr.detail.llvm_version()
        report["llvm_version"] = ".".join(map(str, version)) if version[0] > 0 else None
    except UserError as error:
        report["problem"] = str(error)
    except ImportError as error:
        report["problem"] = f"Mitsuba cannot be imported: {error}"
    return report
