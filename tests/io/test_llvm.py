"""Which libLLVM is chosen, told by names alone where they tell enough."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.io import llvm
from mitsuba_mei.io.llvm import LLVMLibrary, choose_llvm, find_llvm, library_version, probe_variant


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/usr/lib/x86_64-linux-gnu/libLLVM.so.19.1", 19),
        ("/usr/lib/x86_64-linux-gnu/libLLVM-15.so.1", 15),
        ("/usr/lib/x86_64-linux-gnu/libLLVM-14.0.6.so.1", 14),
        ("/usr/lib/x86_64-linux-gnu/libLLVM-17.so", 17),
        ("/opt/conda/lib/libLLVM.so.22.1", 22),
        ("/opt/homebrew/opt/llvm@19/lib/libLLVM.dylib", 19),
        ("/opt/homebrew/Cellar/llvm/20.1.3/lib/libLLVM.dylib", 20),
        ("/usr/lib/llvm-18/lib/libLLVM.so", 18),
        ("/usr/lib/llvm-18/lib/libLLVM.so.1", 18),
        ("/opt/libLLVM-19.dylib", 19),
        ("/opt/libLLVM.so", None),
        ("/opt/libLLVMSupport.so.19", None),
        ("/opt/libLLVM-C.so", None),
    ],
)
def test_version_is_in_the_name(path, version):
    assert library_version(path) == version


def test_version_of_a_link_is_that_of_what_it_leads_to(tmp_path):
    (tmp_path / "libLLVM-15.so.1").touch()
    (tmp_path / "libLLVM.so").symlink_to("libLLVM-15.so.1")
    assert library_version(tmp_path / "libLLVM.so") == 15


def elf(path: Path) -> Path:
    """A file that passes for a library of this machine's architecture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Path(sys.executable).resolve().read_bytes()[:64])
    return path


def test_search_takes_every_library_once_newest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(llvm, "_linker_cache", lambda: [elf(tmp_path / "cache" / "libLLVM-17.so.1")])
    elf(tmp_path / "debian" / "libLLVM-15.so.1")
    elf(tmp_path / "debian" / "libLLVM.so.19.1")
    (tmp_path / "debian" / "libLLVM-19.so").symlink_to("libLLVM.so.19.1")
    elf(tmp_path / "debian" / "libLLVMSupport.so.22")
    elf(tmp_path / "conda" / "lib" / "libLLVM.so.22.1")
    elf(tmp_path / "other" / "libLLVM.so")
    found = find_llvm({"CONDA_PREFIX": str(tmp_path / "conda")}, [f"{tmp_path}/[do]*"])
    assert [library.version for library in found if tmp_path in library.path.parents] == [22, 19, 17, 15, None]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ELF files")
def test_libraries_for_another_processor_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(llvm, "_linker_cache", list)
    header = bytearray(elf(tmp_path / "libLLVM.so.19.1").read_bytes())
    header[18] ^= 0xFF
    (tmp_path / "libLLVM.so.19.1").write_bytes(header)
    elf(tmp_path / "libLLVM-17.so")
    found = find_llvm({}, [str(tmp_path)])
    assert [library.version for library in found if tmp_path in library.path.parents] == [17]


def libraries(*versions: int | None) -> list[LLVMLibrary]:
    return [LLVMLibrary(Path(f"/x/libLLVM-{version}.so"), version) for version in versions]


def test_the_newest_fitting_one_is_chosen():
    assert choose_llvm({}, libraries(22, 19, 15)).version == 22
    assert choose_llvm({}, libraries(17, 16)).version == 17


@pytest.mark.parametrize(
    ("versions", "found"), [((), "no libLLVM was found"), ((16, 14), "only LLVM 16, 14 was found")]
)
def test_none_that_fits_names_the_commands(versions, found):
    with pytest.raises(UserError) as error:
        choose_llvm({}, libraries(*versions))
    assert str(error.value).startswith(found)
    for command in ("apt-get install libllvm19", "conda install -c conda-forge libllvm19", "brew install llvm"):
        assert command in str(error.value)


def test_one_of_unknown_version_must_render_first(monkeypatch):
    tried = []
    monkeypatch.setattr(llvm, "probe_variant", lambda variant, path: (tried.append(path), ("aborted", None))[1])
    with pytest.raises(UserError):
        choose_llvm({}, libraries(15, None))
    assert tried == ["/x/libLLVM-None.so"]
    monkeypatch.setattr(llvm, "probe_variant", lambda variant, path: (None, 23))
    assert choose_llvm({}, libraries(None)).path == Path("/x/libLLVM-None.so")


# ------------------------------------------------------------------------------------------------- the user's own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/libLLVM.so", "which does not exist"),
        (".", "which is not a file"),
        ("libLLVM-15.so.1", "LLVM 15, which aborts while rendering"),
    ],
)
def test_a_wish_that_cannot_be_granted(tmp_path, name, message):
    (tmp_path / "libLLVM-15.so.1").touch()
    with pytest.raises(UserError, match=message) as error:
        choose_llvm({"DRJIT_LIBLLVM_PATH": str(tmp_path / name)}, [])
    assert "DRJIT_LIBLLVM_PATH" in str(error.value) and "unset it" in str(error.value)


@pytest.mark.slow
def test_a_wish_that_is_no_library(tmp_path):
    (tmp_path / "libLLVM-20.so").write_text("no library")
    with pytest.raises(UserError, match="no image could be rendered"):
        choose_llvm({"DRJIT_LIBLLVM_PATH": str(tmp_path / "libLLVM-20.so")}, [])


def test_a_wish_that_works_wins_over_newer_ones():
    own = choose_llvm()
    assert choose_llvm({"DRJIT_LIBLLVM_PATH": str(own.path)}, [*libraries(99), own]) == own


@pytest.mark.slow
def test_a_wish_of_unknown_version_is_rendered_with(tmp_path):
    link = tmp_path / "my-llvm.so"
    link.symlink_to(choose_llvm().path.resolve())
    assert choose_llvm({"DRJIT_LIBLLVM_PATH": str(link)}, []).version >= llvm.MINIMUM


@pytest.mark.slow
def test_an_unfit_library_ends_its_own_process_only():
    unfit = [library for library in find_llvm() if library.version is not None and library.version in (14, 15, 16)]
    if not unfit:
        pytest.skip("no LLVM 14, 15 or 16 is installed")
    problem, version = probe_variant("llvm_ad_mono", str(unfit[0].path))
    assert problem is not None and version is None
