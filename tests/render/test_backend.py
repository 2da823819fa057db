"""Which variant renders."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mitsuba_mei.errors import UserError
from mitsuba_mei.io import llvm
from mitsuba_mei.render import backend
from mitsuba_mei.render.backend import cuda_problem, describe, prepare


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(backend, "cuda_problem", lambda: "no NVIDIA driver is installed")


@pytest.mark.parametrize(("channels", "variant"), [(1, "llvm_ad_mono"), (3, "llvm_ad_rgb")])
def test_auto_follows_the_model(no_gpu, channels, variant):
    import mitsuba as mi

    assert prepare("auto", channels) == variant == mi.variant()


def test_a_named_variant_is_taken(no_gpu):
    import mitsuba as mi

    assert prepare("llvm_ad_rgb", 1) == "llvm_ad_rgb" == mi.variant()


@pytest.mark.parametrize(
    ("variant", "channels", "message"),
    [
        (
            "cuda_ad_mono",
            1,
            "'cuda_ad_mono' needs a GPU that works, but no NVIDIA driver is installed; use auto or llvm_ad_mono",
        ),
        ("llvm_ad_mnoo", 1, "no variant 'llvm_ad_mnoo'; did you mean 'llvm_ad_mono'?"),
        ("scalar_rgb", 1, "'scalar_rgb' cannot be differentiated"),
        ("auto", 4, "1 or 3 channels, not 4"),
    ],
)
def test_what_cannot_be_had(no_gpu, variant, channels, message):
    with pytest.raises(UserError) as error:
        prepare(variant, channels)
    assert message in str(error.value)


def test_auto_takes_a_gpu_that_works(monkeypatch):
    monkeypatch.setattr(backend, "cuda_problem", lambda: None)
    assert backend._resolved("auto", 3) == "cuda_ad_rgb"
    assert backend._resolved("cuda_ad_mono", 1) == "cuda_ad_mono"


@pytest.mark.gpu
def test_the_gpu_renders():
    assert cuda_problem() is None
    assert prepare("auto", 1) == "cuda_ad_mono"


def test_a_dr_jit_imported_before_with_an_unfit_llvm_is_said(monkeypatch, no_gpu):
    import drjit  # noqa: F401 (it has to be there already)

    monkeypatch.setattr(llvm, "loaded_llvm", lambda: 15)
    with pytest.raises(UserError, match="imported before the backend was chosen, with LLVM 15"):
        prepare("llvm_ad_mono")
    monkeypatch.setattr(llvm, "loaded_llvm", lambda: None)
    with pytest.raises(UserError, match="without LLVM"):
        prepare("llvm_ad_mono")


@pytest.mark.slow
@pytest.mark.parametrize("wish", ["/nowhere/libLLVM.so", None])
def test_in_a_fresh_process(wish, root):
    """A bad wish ends in a sentence, no wish in a render; neither in an abort."""
    code = """
from mitsuba_mei.errors import UserError
from mitsuba_mei.render.backend import prepare
try:
    print(prepare("llvm_ad_mono"))
except UserError as error:
    print("sentence", error)
else:
    import drjit as dr, mitsuba as mi
    print("finite", bool(dr.all(dr.isfinite(dr.minimum(mi.Float([1, 2]), 0.5)))))
"""
    environment = {name: value for name, value in os.environ.items() if name != "DRJIT_LIBLLVM_PATH"}
    if wish:
        environment["DRJIT_LIBLLVM_PATH"] = wish
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = f"sentence DRJIT_LIBLLVM_PATH is '{wish}', which does not exist" if wish else "llvm_ad_mono\nfinite True"
    assert done.stdout.startswith(expected)


def test_describe_names_what_was_found():
    report = describe()
    assert report["problem"] is None
    assert report["mitsuba"].startswith("3.9")
    assert report["variant"] in ("llvm_ad_mono", "cuda_ad_mono")
    assert int(report["llvm_version"].split(".")[0]) >= 17
    assert report["threads"] >= 1
    assert report["gpu"]


def test_describe_tells_a_problem_instead_of_raising(monkeypatch, no_gpu):
    monkeypatch.setattr(llvm, "loaded_llvm", lambda: 15)
    report = describe()
    assert "LLVM 15" in report["problem"]
    assert report["variant"] is None
