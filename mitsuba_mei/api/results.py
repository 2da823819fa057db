"""Runs as Python users hold them: the typed result, arrays and meshes, the figure, and the folder."""

from __future__ import annotations

import base64
import html
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config.arguments import checked
from ..config.card import Input
from ..config.load import Config, dump, load_config
from ..config.yaml.located import Located, locate
from ..config.yaml.text import read
from ..errors import Place, UserError
from ..experiments.registry import resume_experiment
from ..experiments.resume import BEGUN_WITH
from ..io.images import read_image
from ..neurons.cards import grey_levels
from ..report.figures.style import figure_of_image
from ..report.sentences import describe_comparison, describe_run
from ..report.tables import describe_factors, describe_tuning
from ..runs.folder import RunFolder, named_or_numbered
from ..runs.results import FactorsResult, Result, TuningResult
from ..runs.results.comparison import ComparisonResult
from .progress import bar_of

__all__ = ["RESULTS", "Run"]

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
    trust_code : bool
        Whether code that its model card names may be run.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> run = mm.run("scenes/quickstart.yaml", overrides=["optimizer.steps=1", "render.type=raster"], progress=False)
    >>> run.ended, run.stimulus.shape
    ('done', (100, 100))
    """

    def __init__(
        self, folder: Path, result: Result, held: Any = None, temporary: Any = None, trust_code: bool = False
    ) -> None:
        self.folder, self.result = Path(folder), result
        self._held, self._temporary, self._trusts_code = held, temporary, trust_code

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
        """The final object, posed, as a ``trimesh.Trimesh``; its flaws are ``run.result.mesh``."""
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

    def report(self, out: Path | str | None = None) -> Path:
        """Write one HTML file about the run, which opens anywhere without a network.

        Parameters
        ----------
        out : Path or str, optional
            A new file; ``report.html`` in the run's folder by default.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        UserError
            If the file is there already, or cannot be written.
        """
        from ..report.html.write import write_report

        return write_report([self.folder], None if out is None else Path(out))

    def evaluate(
        self, renderer: str | None = None, *, overrides: Sequence[str] = (), out: Path | str | None = None
    ) -> Result:
        """Evaluate the initial and the final scene anew, under this or the other renderer.

        Parameters
        ----------
        renderer : {'path', 'raster'}, optional
            The run's own by default.
        overrides : sequence of str
            Values of its configuration to change, as ``"evaluate.spp=2048"``.
        out : Path or str, optional
            A folder, or the name of a ``.json`` file; the run's folder by default.

        Returns
        -------
        EvaluationResult
            Converged activations with their standard errors.

        Raises
        ------
        UserError
            For whatever the user can mend; nothing is written then.
        """
        from ..experiments.reevaluate import evaluate_run

        where = None if out is None else Path(out)
        return evaluate_run(self.folder, renderer, overrides, where, trust_code=self._trusts_code).result

    def export(
        self,
        out: Path | str | None = None,
        *,
        blender: bool = False,
        size: int | None = None,
        mean: float | None = None,
        contrast: float | None = None,
        gamma: str | float | None = None,
    ) -> Path:
        """Write the run's stimuli for an experiment's monitor, or its scene for Blender.

        Parameters
        ----------
        out : Path or str, optional
            A new folder; ``export-<number>`` in the run's by default.
        blender : bool
            Write ``scene.glb`` in place of stimuli.
        size : int, optional
            Pixels along the longer side; the model's by default.
        mean : float, optional
            Mean luminance, 0 black to 1 white; as the neuron saw it by default.
        contrast : float, optional
            RMS contrast as a fraction of the display's range; the same by default.
        gamma : str or float, optional
            A CSV table of the monitor's luminance by level, or an exponent; proportional by default.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        UserError
            If there is no such stimulus or scene, or a value is out of its range.
        """
        from ..experiments.export import export_scene, export_stimuli
        from ..report.export.display import read_display
        from ..report.export.stimuli import DisplaySettings

        with named_or_numbered(out, "export", self.folder) as folder:
            if blender:
                export_scene(self.folder, folder)
            else:
                display = read_display(None if gamma is None else str(gamma))
                settings = DisplaySettings(size, mean, contrast)
                export_stimuli(self.folder, settings, display, folder, trust_code=self._trusts_code)
        return folder

    def resume(self, progress: bool | str = True) -> Run:
        """Go on with a run that was interrupted, in its folder, from the last state that was kept.

        Parameters
        ----------
        progress : bool or 'live'
            Whether a bar is shown.

        Returns
        -------
        Run
            Of the same folder, with what it came to.

        Raises
        ------
        UserError
            If the run has come to its end.
        """
        bar = bar_of(progress)
        try:
            done = resume_experiment(self.folder, bar, self._trusts_code)
        finally:
            bar.stop()
        return Run(done.folder, done.result, self._held, self._temporary, self._trusts_code)

    def __repr__(self) -> str:
        kinds = {ComparisonResult: describe_comparison, FactorsResult: describe_factors, TuningResult: describe_tuning}
        if self.result is None:
            return f"Run in {self.folder}, which has no result yet"
        describe = kinds.get(type(self.result), describe_run)
        first = describe(self.folder, self.result)[0]
        return f"{type(self.result).__name__}: {self.result.ended}" if str(self.folder) in first else first

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
