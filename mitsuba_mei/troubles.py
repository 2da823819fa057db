"""What can go wrong with a scene while it is optimised."""

from __future__ import annotations

import torch

from .errors import UserError
from .experiment import Experiment
from .in_view import check_view
from .mesh_quality import flipped_faces

__all__ = ["FOLDED", "Watch"]

FOLDED = 0.02
"""The fraction of faces beyond the start's that may be folded over."""

SELDOM = 5
"""Steps between two looks."""


class Watch:
    """Looks after a scene.

    Parameters
    ----------
    experiment : Experiment
        As it starts.
    """

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._deforms = "shape" in experiment.scene.groups()
        self._allowed = self._folded() + FOLDED if self._deforms else 1.0

    @torch.no_grad()
    def __call__(self, step: int) -> str | None:
        """What is wrong, in a few words; None where nothing is. It is looked for in some steps only."""
        if step % SELDOM:
            return None
        states = self._experiment.states()
        if not all(torch.isfinite(state.vertices).all() for state in states):
            return "the object has vertices that are not finite"
        try:
            for state in states:
                check_view(state)
        except UserError:
            return "the object leaves the camera's view, or the camera stands in it"
        if self._deforms and self._folded() > self._allowed:
            return f"more than {100 * FOLDED:g} % of the mesh's faces are folded over"
        return None

    @torch.no_grad()
    def _folded(self) -> float:
        scene = self._experiment.scene
        shape = scene.shape().cpu().double().numpy()
        return float(flipped_faces(shape, scene.faces.cpu().numpy(), scene.template.edge_faces.cpu().numpy()).mean())
