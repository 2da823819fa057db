"""Runs as Python users hold them: the typed result, arrays and meshes, the figure, and the folder."""

from __future__ import annotations

import base64
import html
import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..config.arguments import checked
from ..config.card import Input
from ..config.load import Config, dump, load_config
from ..config.yaml.located import Located, locate
from ..config.yaml.text import read
from ..errors import Place, UserError
from ..experiments.base import Progress, RunResult
from ..experiments.resume import BEGUN_WITH
from ..io.images import read_image
from ..neurons.cards import grey_levels
from ..neurons.in_memory import check_held, hold
from ..report.figures.style import figure_of_image
from ..report.sentences import describe_run
from ..runs.folder import RunFolder
from ..runs.results import FactorsResult, Result, TuningResult, read_result, read_run_result
from ..runs.results.populations import ComparisonResult

__all__ = ["Run", "in_folder", "read_run"]

FIGURES = ("summary.png", "comparison.png", "factors.png", "tuning.png")
RESULTS: tuple[type[Result], ...] = (ComparisonResult, FactorsResult, TuningResult)


class Run:
    """A finished experiment.

    Every field of its typed result is an attribute: ``run.activation.final.mean``, ``run.ended``, ``run.seed``.

    Parameters
    ----------
    folder : Path
        A run folder. Without ``out`` it is a temporary one, which lasts as long as this object; :meth:`save` keeps it.
    result : Result
        The typed result, which is also in the folder as JSON.
    held : object, optional
        The model in memory, which has to live as long as the run.
    temporary : object, optional
        The temporary folder, likewise.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> run = mm.run("scenes/quickstart.yaml", overrides=["optimizer.steps=1", "render.type=raster"], progress=False)
    >>> run.ended, run.stimulus.shape
    ('done', (100, 100))
    """

    def __init__(self, folder: Path, result: Result, held: Any = None, temporary: Any = None) -> None:
        self.folder, self.result = Path(folder), result
        self._held, self._temporary = held, temporary

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return getattr(self.result, name)
        except AttributeError:
            raise AttributeError(f"a run with a {type(self.result).__name__} has no attribute '{name}'") from None

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *type(self.result).model_fields})

    @property
    def config(self) -> Config:
        """The scene file that was run, complete."""
        return load_config(self._file("config.yaml"), rendered=False)

    @property
    def mesh(self) -> Any:
        """The final object, posed, as a ``trimesh.Trimesh``."""
        import trimesh

        return trimesh.load_mesh(self._file("mesh.ply"), process=False)

    @property
    def stimulus(self) -> np.ndarray:
        """The final stimulus as the neurons saw it: grey levels, (h, w) or (h, w, 3); 0 is black, 255 white."""
        mean, std = grey_levels(*self._model_input())
        levels = np.moveaxis(self.model_input[0], 0, -1) * std + mean
        return levels[..., 0] if levels.shape[2] == 1 else levels

    @property
    def model_input(self) -> np.ndarray:
        """The final stimulus as the model takes it: standardised, (1, channels, h, w)."""
        return np.load(self._file("stimulus.npy"))

    @property
    def image(self) -> np.ndarray:
        """The final render, linear radiance, (H, W, C)."""
        return read_image(self._file("render.exr"))

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The final scene's parameters by name."""
        with np.load(self._file("parameters.npz"), allow_pickle=False) as file:
            return dict(file)

    def plot(self) -> Any:
        """Show the summary figure.

        Returns
        -------
        matplotlib.figure.Figure
            The picture of the run folder, which a notebook shows and ``savefig`` writes.
        """
        return figure_of_image(self._figure())

    def save(self, folder: Path | str) -> Path:
        """Copy the run to a new folder, on which ``report``, ``tune``, ``export``, ``evaluate`` and ``resume`` work.

        Parameters
        ----------
        folder : Path or str
            A new one.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UserError
            If something is there already, or the folder cannot be written to.
        """
        target = RunFolder(Path(folder)).path
        shutil.copytree(self.folder, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".lock"))
        # Files are named relative to where a configuration lies.
        for name in ("config.yaml", BEGUN_WITH, *(f"asked/{path.name}" for path in self.folder.glob("asked/*.yaml"))):
            if (self.folder / name).is_file():
                config = load_config(self.folder / name, rendered=False)
                (target / name).write_text(dump(config, (target / name).parent), encoding="utf-8")
        return target

    def __repr__(self) -> str:
        try:
            return describe_run(self.folder, self.result)[0]
        except (AttributeError, TypeError):
            return f"{type(self.result).__name__} in {self.folder}"

    def _repr_html_(self) -> str:
        """Figure and facts, for a notebook."""
        text = f"<p>{html.escape(repr(self))}</p>"
        try:
            data = base64.b64encode(self._figure().read_bytes()).decode()
        except UserError:
            return text
        return f'<img style="max-width:100%" alt="{html.escape(repr(self))}" src="data:image/png;base64,{data}">{text}'

    def _model_input(self) -> tuple[Input, Located]:
        """What the model's card says of images."""
        card = self.config.model.card
        tree = read(Path(card)) if isinstance(card, str) else locate(card, Place("model.card", self.folder))
        said = tree.child("input")
        return checked(Input, "input", {} if said is None else said.plain()), tree

    def _figure(self) -> Path:
        found = [self.folder / name for name in FIGURES if (self.folder / name).is_file()]
        if not found:
            raise UserError(f"{self.folder} holds no figure ({', '.join(FIGURES)})")
        return found[0]

    def _file(self, name: str) -> Path:
        if not (self.folder / name).is_file():
            raise UserError(f"{self.folder} holds no {name}")
        return self.folder / name


class _Temporary:
    """A folder that lasts as long as this object."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="mitsuba_mei-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def in_folder(
    experiment: Callable[[Path, Progress], RunResult], progress: Progress, out: Path | str | None, held: Any = None
) -> Run:
    """Do an experiment in a folder, or in a temporary one."""
    temporary = None if out is not None else _Temporary()
    folder = Path(out) if temporary is None else temporary.path / "run"
    try:
        done = experiment(folder, progress)
    finally:
        progress.stop()
    return Run(done.folder, done.result, held, temporary)


def read_run(folder: Path | str, model: Any = None) -> Run:
    """Read a run folder, of the command line or saved.

    Parameters
    ----------
    folder : Path or str
        Of a run, a comparison, factors or a tuning.
    model : nn.Module or callable, optional
        The network of a run whose model lived in memory, for what needs it again, such as :func:`tune`.

    Returns
    -------
    Run
        With the typed result of its kind.

    Raises
    ------
    UserError
        If it is none, is damaged, was written by a newer version, or its model was another one.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> mm.read_run("nowhere")
    Traceback (most recent call last):
    mitsuba_mei.errors.UserError: there is no folder 'nowhere'
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"there is no folder '{folder}'")
    if (folder / "result.json").is_file():
        run = Run(folder, read_run_result(folder))
        if model is not None:
            card = run.config.model.card
            if not isinstance(card, Mapping) or card.get("type") != "memory":
                raise UserError(f"{folder}: its model is on file, as its model card says; leave model out")
            run._held = hold(model, run._model_input()[0], card.get("output"))
            check_held(run._held, card, str(folder / "config.yaml"))
        return run
    for kind in RESULTS:
        if (folder / kind.file).is_file():
            return Run(folder, read_result(folder / kind.file, kind))
    raise UserError(f"{folder} holds no finished run: there is no result.json in it")
