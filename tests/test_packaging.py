"""The files that are no code: that they agree with each other, and that the set-up scripts do what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from mitsuba_mei import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def pins(root) -> list[Requirement]:
    lines = (root / "constraints.txt").read_text().splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_conda_and_pip_ask_for_the_same(root, project):
    environment = yaml.safe_load((root / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip == project["dependencies"]
    assert f"python {project['requires-python']}" in environment["dependencies"]
    assert "libllvm19" in environment["dependencies"]


def test_every_constraint_is_one_exact_version(pins):
    for pin in pins:
        ((operator, version),) = [(item.operator, item.version) for item in pin.specifier]
        assert operator == "=="
        assert "+" not in version and "*" not in version


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.13"])
def test_every_dependency_has_one_fitting_pin_on_every_python(project, pins, python):
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    chosen = {}
    for pin in pins:
        if pin.marker is None or pin.marker.evaluate(environment):
            assert canonicalize_name(pin.name) not in chosen, pin.name
            chosen[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    extras = project["optional-dependencies"].values()
    for line in [*project["dependencies"], *(line for lines in extras for line in lines)]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(chosen[canonicalize_name(wanted.name)]), line


def test_the_citation_says_what_to_cite(root):
    citation = yaml.safe_load((root / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] == "BSD-3-Clause"
    assert {"message", "title", "authors"} <= citation.keys()
    titles = " ".join(reference["title"] for reference in citation["references"])
    for title in ("Mitsuba 3", "Dr.Jit", "Projective Sampling", "Beyond Pixels", "Area V4", "V4 Shape Selectivity"):
        assert title in titles
    for reference in citation["references"]:
        assert {"type", "title", "year", "authors"} <= reference.keys()
        assert reference.keys() & {"doi", "url"}


def test_the_licence_is_bsd_3(root):
    assert (root / "LICENSE").read_text().startswith("BSD 3-Clause License")


def test_set_up_names_no_package_index(root):
    for name in (
        "Makefile",
        "constraints.txt",
        "environment.yml",
        "pyproject.toml",
        "scripts/setup.sh",
        "scripts/apt.sh",
        "scripts/ensure_chromium.sh",
    ):
        text = (root / name).read_text()
        assert not re.search(r"https?://|index-url|find-links", text), name


def test_ci_runs_make_test(root):
    assert os.access(root / ".ci" / "run", os.X_OK)
    assert "exec make test" in (root / ".ci" / "run").read_text()
    command = ["make", "--no-print-directory", "-n", "test"]
    plan = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    assert " .venv/bin/python -m pytest " in plan.splitlines()[-1]


def test_no_module_is_ignored_by_git(root):
    """A folder of runs is ignored, a room of that name is not."""
    files = [str(path.relative_to(root)) for path in (root / "mitsuba_mei").rglob("*.py")]
    if not (root / ".git").exists():
        pytest.skip("this is no clone")
    ignored = subprocess.run(["git", "check-ignore", "--no-index", *files], cwd=root, capture_output=True, text=True)
    assert (ignored.stdout, ignored.returncode) == ("", 1)


# --------------------------------------------------------------------------------------------------- set-up scripts


def command(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def apt_install(root: Path, tools: Path, *packages: str) -> subprocess.CompletedProcess:
    """Run the scripts' ``apt_install`` where the only programs are those in ``tools``."""
    script = f'. "{root}/scripts/apt.sh"; apt_install {" ".join(packages)}'
    return subprocess.run(["/bin/sh", "-c", script], env={"PATH": str(tools)}, capture_output=True, text=True)


APT = 'echo "$@" >> "{log}"; case "$*" in *libllvm19*) exit 100;; esac'


def test_apt_installs_the_first_package_that_there_is_without_asking(root, tmp_path):
    log = tmp_path / "log"
    command(tmp_path / "bin", "apt-get", APT.format(log=log))
    command(tmp_path / "bin", "id", "echo 0")
    command(tmp_path / "bin", "env", 'test "$1" = DEBIAN_FRONTEND=noninteractive || exit 1; shift; exec "$@"')
    done = apt_install(root, tmp_path / "bin", "libllvm19", "libllvm18", "libllvm17")
    assert done.returncode == 0
    assert log.read_text().splitlines() == ["update -qq", "install -qq -y libllvm19", "install -qq -y libllvm18"]


@pytest.mark.parametrize(
    ("sudo", "installs"),
    [(None, False), ("exit 1", False), ('test "$1" = -n || exit 1; shift; exec "$@"', True)],
    ids=["no sudo", "sudo with a password", "sudo without"],
)
def test_apt_is_used_only_where_the_user_may(root, tmp_path, sudo, installs):
    log = tmp_path / "log"
    command(tmp_path / "bin", "apt-get", APT.format(log=log))
    command(tmp_path / "bin", "id", "echo 1000")
    command(tmp_path / "bin", "env", 'shift; exec "$@"')
    command(tmp_path / "bin", "true", "exit 0")
    if sudo is not None:
        command(tmp_path / "bin", "sudo", sudo)
    done = apt_install(root, tmp_path / "bin", "libllvm18")
    assert (done.returncode == 0) is installs
    assert log.exists() is installs


def test_without_apt_there_is_nothing_to_try(root, tmp_path):
    (tmp_path / "bin").mkdir()
    assert apt_install(root, tmp_path / "bin", "libllvm19").returncode == 1


@pytest.mark.parametrize(
    ("there", "apt", "tried"),
    [(True, "exit 0", False), (False, "exit 0", True), (False, "exit 100", True), (False, None, False)],
    ids=["a browser is there", "apt has one", "apt has none", "there is no apt"],
)
def test_a_browser_is_installed_where_there_is_none_and_set_up_never_fails(root, tmp_path, there, apt, tried):
    log = tmp_path / "log"
    tools = tmp_path / "bin"
    command(tools, "id", "echo 0")
    command(tools, "dirname", f'echo "{root}/scripts"')
    command(tools, "env", 'shift; exec "$@"')
    if there:
        command(tools, "chromium", "exit 0")
    if apt is not None:
        command(tools, "apt-get", f'echo "$@" >> "{log}"; {apt}')
    script = ["/bin/sh", str(root / "scripts" / "ensure_chromium.sh")]
    done = subprocess.run(script, env={"PATH": str(tools)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert log.exists() is tried
    if tried:
        assert log.read_text().splitlines()[-1] == "install -qq -y chromium"


def test_a_fitting_llvm_is_left_alone(root, tmp_path):
    """No apt-get is called, as there would be none to call."""
    done = subprocess.run(
        ["/bin/sh", "scripts/ensure_llvm.sh", sys.executable], cwd=root, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_an_unfit_wish_ends_set_up_in_one_sentence(root):
    done = subprocess.run(
        ["/bin/sh", "scripts/ensure_llvm.sh", sys.executable],
        cwd=root,
        env={**os.environ, "DRJIT_LIBLLVM_PATH": "/nowhere/libLLVM.so"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: DRJIT_LIBLLVM_PATH is '/nowhere/libLLVM.so', which does not exist")
    assert done.stderr.count("\n") == 1


def test_too_old_a_python_ends_set_up_in_one_sentence(root, tmp_path):
    command(tmp_path / "bin", "python3", "exit 1")
    done = subprocess.run(
        ["/bin/sh", str(root / "scripts" / "setup.sh"), "python3", str(tmp_path / "venv")],
        env={"PATH": str(tmp_path / "bin")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: Python 3.10 or newer is needed")


@pytest.mark.network
@pytest.mark.slow
def test_the_wheel_carries_the_model_cards(root, tmp_path):
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--quiet", "--wheel-dir", str(tmp_path), str(root)]
    subprocess.run(pip, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {f"mitsuba_mei/models/{card.name}" for card in (root / "models").glob("*.yaml")} <= set(names)
    assert "mitsuba_mei/config/scene.py" in names
    assets = root / "mitsuba_mei" / "report" / "html" / "assets"
    assert {f"mitsuba_mei/report/html/assets/{path.name}" for path in assets.iterdir()} <= set(names)
