"""Select the libLLVM that Dr.Jit loads: the newest installed one that does not abort the process.

LLVM 14, 15 and 16 end the process at the first real render ("LLVM ERROR: Cannot select: fminimum"), which nobody can
catch, and Dr.Jit picks whichever it meets first. So libraries are told apart by their names, without loading them, and
one whose name tells nothing is tried in a process of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

__all__ = [
    "INSTALL",
    "MINIMUM",
    "LLVMLibrary",
    "choose_llvm",
    "find_llvm",
    "library_version",
    "load_llvm",
    "loaded_llvm",
    "probe_variant",
]

MINIMUM = 17
"""The oldest major version that is accepted; 19 and 22 are tested."""

INSTALL = (
    "install one with 'sudo apt-get install libllvm19', 'conda install -c conda-forge libllvm19' or 'brew install llvm'"
)

_NAME = re.compile(
    r"^libLLVM(?:-(\d+)(?:\.[\d.]+)?)?\.(?:so|dylib)(?:\.(\d+)(?:\.[\d.]+)?)?$|^libLLVM\.(\d+)[\d.]*\.dylib$"
)
_FOLDERS = (
    "/usr/lib/*-linux-gnu",
    "/usr/lib/llvm-*/lib",
    "/usr/lib64",
    "/usr/lib64/llvm*/lib*",
    "/usr/lib",
    "/usr/local/lib",
    "/opt/homebrew/opt/llvm*/lib",
    "/usr/local/opt/llvm*/lib",
)


@dataclass(frozen=True)
class LLVMLibrary:
    """An LLVM shared library; its major version where the name tells it."""

    path: Path
    version: int | None


def library_version(path: Path | str) -> int | None:
    """The major version that a library's name tells, its own or that of the file or folder it leads to; else None.

    Knows ``libLLVM.so.19.1``, ``libLLVM-15.so.1``, ``libLLVM-19.dylib``, and ``llvm@19/19.1.7/lib/libLLVM.dylib``.
    """
    for candidate in (Path(path).resolve(), Path(path)):
        name = _NAME.match(candidate.name)
        if name is None:
            continue
        # A number after .so is an ABI's in libLLVM-15.so.1, the version in libLLVM.so.19.1.
        versions = [int(group) for group in name.groups() if group]
        if versions and versions[0] > 1:
            return versions[0]
        folder = re.search(r"llvm[@-]?/?(\d+)", str(candidate.parent))
        if folder:
            return int(folder.group(1))
    return None


def find_llvm(environment: Mapping[str, str] = os.environ, folders: Iterable[str] = _FOLDERS) -> list[LLVMLibrary]:
    """The LLVM libraries of this machine, each once, newest first; those of unknown version last.

    Looks in the active conda environment, where Debian, Ubuntu, Fedora, Arch and Homebrew put them, and in the linker's
    cache.
    """
    conda = environment.get("CONDA_PREFIX")
    patterns = ([f"{conda}/lib"] if conda else []) + [f"{sys.prefix}/lib", *folders]
    paths = [
        path
        for pattern in patterns
        for folder in sorted(Path("/").glob(pattern.lstrip("/")))
        for path in sorted(folder.glob("libLLVM*"))
    ]
    paths += _linker_cache()
    libraries: dict[Path, LLVMLibrary] = {}
    for path in paths:
        if _NAME.match(path.name) and path.is_file() and _architecture(path) == _architecture(Path(sys.executable)):
            libraries.setdefault(path.resolve(), LLVMLibrary(path, library_version(path)))
    return sorted(libraries.values(), key=lambda library: -(library.version or 0))


def _architecture(path: Path) -> bytes | None:
    """Word size and processor of an ELF file; None for other formats."""
    try:
        with path.open("rb") as file:
            header = file.read(20)
    except OSError:
        return b""
    return header[4:6] + header[18:20] if header.startswith(b"\x7fELF") else None


def _linker_cache() -> list[Path]:
    tool = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        listing = subprocess.run([tool, "-p"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [Path(path) for path in re.findall(r"libLLVM\S*.*=> (\S+)", listing)]


def choose_llvm(environment: Mapping[str, str] = os.environ, installed: list[LLVMLibrary] | None = None) -> LLVMLibrary:
    """The library that Dr.Jit is to load.

    Parameters
    ----------
    environment : mapping
        A ``DRJIT_LIBLLVM_PATH`` in it is respected if that library works.
    installed : list of LLVMLibrary, optional
        What there is to choose from; default :func:`find_llvm`.

    Raises
    ------
    UserError
        If the user's library does not exist, is too old or does not render, or none is installed that does.
    """
    installed = find_llvm(environment) if installed is None else installed
    wish = environment.get("DRJIT_LIBLLVM_PATH")
    if wish:
        return _checked(Path(wish), installed)
    for library in installed:
        if library.version is None:
            problem, _ = probe_variant("llvm_ad_mono", str(library.path))
            if problem is None:
                return library
        elif library.version >= MINIMUM:
            return library
    old = ", ".join(str(library.version) for library in installed if library.version is not None)
    problem = f"only LLVM {old} was found, which aborts while rendering" if old else "no libLLVM was found"
    raise UserError(f"{problem}; rendering on the CPU needs LLVM {MINIMUM} or newer: {INSTALL}")


def _checked(path: Path, installed: list[LLVMLibrary]) -> LLVMLibrary:
    start = f"DRJIT_LIBLLVM_PATH is '{path}'"
    way_out = f"unset it, name LLVM {MINIMUM} or newer, or {INSTALL}"
    if not path.exists():
        raise UserError(f"{start}, which does not exist; {way_out}")
    if not path.is_file():
        raise UserError(f"{start}, which is not a file; {way_out}")
    version = library_version(path)
    if version is not None and version < MINIMUM:
        raise UserError(f"{start}, LLVM {version}, which aborts while rendering; {way_out}")
    library = LLVMLibrary(path, version)
    if version is None or all(path.resolve() != other.path.resolve() for other in installed):
        problem, version = probe_variant("llvm_ad_mono", str(path))
        if problem is not None:
            raise UserError(f"{start}, with which no image could be rendered ({problem}); {way_out}")
        library = LLVMLibrary(path, version)
    return library


_PROBE = """
import sys
import mitsuba as mi
mi.set_variant(sys.argv[1])
import drjit as dr
mi.set_log_level(mi.LogLevel.Error)
film = {"type": "hdrfilm", "width": 4, "height": 4, "pixel_format": "luminance"}
scene = mi.load_dict({
    "type": "scene", "integrator": {"type": "direct"}, "light": {"type": "constant"},
    "camera": {"type": "perspective", "film": film}, "shape": {"type": "sphere", "center": [0, 0, 5]},
})
assert dr.isfinite(dr.sum(mi.render(scene, spp=1).array)[0])
print("rendered", dr.detail.llvm_version()[0])
"""


def probe_variant(variant: str, llvm: str | None = None) -> tuple[str | None, int | None]:
    """Render a few pixels in a process of its own, where an abort or a crash does no harm.

    Parameters
    ----------
    variant : str
        A Mitsuba variant, such as ``llvm_ad_mono``.
    llvm : str, optional
        The libLLVM to load.

    Returns
    -------
    problem : str or None
        What went wrong; None where the image came out.
    version : int or None
        The major version of the LLVM that was loaded.
    """
    environment = {**os.environ, **({"DRJIT_LIBLLVM_PATH": llvm} if llvm else {})}
    try:
        run = subprocess.run(
            [sys.executable, "-c", _PROBE, variant],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "no answer within two minutes", None
    rendered = re.search(r"^rendered (-?\d+)", run.stdout, re.MULTILINE)
    if run.returncode == 0 and rendered:
        return None, int(rendered.group(1))
    lines = [line.strip() for line in run.stderr.splitlines() if "rror" in line or "nable" in line]
    reason = lines[0] if lines else f"the process ended with status {run.returncode}"
    return reason[:160].rstrip(". !;:"), None


def load_llvm() -> None:
    """Have Dr.Jit load a fitting LLVM, or make sure that the one it has loaded already is."""
    if "drjit" in sys.modules:
        version = loaded_llvm()
        if version is None or version < MINIMUM:
            loaded = "without LLVM" if version is None else f"with LLVM {version}, which aborts while rendering"
            raise UserError(
                f"Dr.Jit was imported before the backend was chosen, {loaded}; call mitsuba_mei.render.backend.prepare "
                f"first, or set DRJIT_LIBLLVM_PATH to LLVM {MINIMUM} or newer before starting Python"
            )
        return
    os.environ["DRJIT_LIBLLVM_PATH"] = str(choose_llvm().path)


def loaded_llvm() -> int | None:
    """The major version of the LLVM that Dr.Jit has loaded; None without one."""
    import drjit as dr

    version = dr.detail.llvm_version()[0]
    return version if version > 0 else None
