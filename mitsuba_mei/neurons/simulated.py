"""Simple and complex cells of V1, whose best stimulus is known in closed form.

Conventions: lengths in half image widths, x to the right and y up from the image's centre; ``orientation`` is the
direction of the bars, counter-clockwise from horizontal (0: horizontal bars, 90: vertical, 45: rising to the right).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..config.card import Card
from ..errors import UserError
from ..stimulus import Stimulus, image_coordinates
from .formats import CardContext

__all__ = ["ComplexCell", "SimpleCell", "gabor"]

Numbers = float | Sequence[float]
MAX_CELLS_IN_CLOSED_FORM = 16


def gabor(
    image_size: tuple[int, int],
    frequency: Numbers,
    orientation: Numbers,
    phase: Numbers = 0.0,
    sigma: Numbers = 0.3,
    center: Sequence = (0.0, 0.0),
) -> Tensor:
    r"""Gabor filters without response to uniform light, of unit norm.

    ``exp(-r^2 / (2 sigma^2)) cos(2 pi frequency n - phase)``, with ``r`` the distance from ``center`` and ``n`` that
    along the bars' normal, 90 degrees counter-clockwise from ``orientation``; then its mean is subtracted and it is
    divided by its norm (Jones & Palmer 1987, J Neurophysiol 58:1233, with a round envelope).

    Parameters
    ----------
    image_size : (h, w)
        Pixels.
    frequency : float or list
        Cycles per half image width, above 0 and below ``w / 4`` (two pixels a cycle).
    orientation : float or list
        Direction of the bars, degrees.
    phase : float or list
        Degrees. 0: even, a bright bar through the centre; 90: odd, bright on the side that the normal points to
        (above, for horizontal bars; left, for vertical ones); 180: a dark bar.
    sigma : float or list
        Standard deviation of the envelope, half image widths.
    center : (x, y) or list of (x, y)
        Half image widths.

    Returns
    -------
    Tensor ``(n, h, w)``
        n is the length of the lists; a single value holds for every filter.

    Raises
    ------
    UserError
        Lists of unlike lengths, a value outside its range, or a filter that does not touch the image.
    """
    centers = torch.as_tensor(center, dtype=torch.float64)
    if centers.ndim not in (1, 2) or centers.shape[-1] != 2:
        raise UserError(f"center is {center}; it must be [x, y] or a list of those, in half image widths")
    centers = centers.reshape(-1, 2)
    named = {"frequency": frequency, "orientation": orientation, "phase": phase, "sigma": sigma}
    values = {name: torch.as_tensor(v, dtype=torch.float64).reshape(-1) for name, v in named.items()}
    values |= {"center (x)": centers[:, 0], "center (y)": centers[:, 1]}
    lengths = {name: len(v) for name, v in values.items() if len(v) != 1}
    if 0 in lengths.values() or len(set(lengths.values())) > 1:
        raise UserError(f"the cells' parameters have unlike lengths {lengths}; give one value for all, or one a cell")
    limit = image_size[1] / 4
    for name, v in values.items():
        if not torch.isfinite(v).all():
            raise UserError(f"{name} is {v.tolist()}; every number must be finite")
    if not ((values["frequency"] > 0) & (values["frequency"] < limit)).all():
        raise UserError(
            f"frequency is {values['frequency'].tolist()}; it must lie between 0 and {limit:g} cycles per half image "
            f"width, two pixels a cycle in an image {image_size[1]} wide"
        )
    if not (values["sigma"] > 0).all():
        raise UserError(f"sigma is {values['sigma'].tolist()}; it must be positive, in half image widths")

    x, y = image_coordinates(image_size, torch.float64)
    f, theta, phi, s, cx, cy = (v[:, None, None] for v in values.values())
    theta, phi = theta.deg2rad(), phi.deg2rad()
    x, y = x - cx, y - cy
    normal = y * theta.cos() - x * theta.sin()
    filters = torch.exp(-(x.square() + y.square()) / (2 * s.square())) * torch.cos(2 * math.pi * f * normal - phi)
    filters = filters - filters.mean((-2, -1), keepdim=True)
    norms = torch.linalg.vector_norm(filters, dim=(-2, -1), keepdim=True)
    if not (norms > 1e-6).all():
        raise UserError("a cell's receptive field does not touch the image; bring its center nearer or widen its sigma")
    return (filters / norms).float()


class _Rectify(torch.autograd.Function):
    """``max(drive, 0)``, whose gradient passes where every response asked for is silent.

    A silent cell has no gradient, and an optimization that starts there would never leave. As in Lucid (Olah,
    Mordvintsev & Schubert 2017, Feature visualization, doi:10.23915/distill.00007) the gradient of the drive is then
    used in place of zero. As soon as one cell of those asked for is active the gradient is the true one.
    """

    @staticmethod
    def forward(ctx, drive: Tensor) -> Tensor:
        ctx.save_for_backward(drive)
        return drive.clamp_min(0)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        (drive,) = ctx.saved_tensors
        true = gradient * (drive > 0)
        silent = (true == 0).all(-1, keepdim=True)
        return torch.where(silent, gradient, true)


class _Cells(nn.Module):
    """A bank of n cells, each with k filters ``(n, k, h, w)`` on a luminance image."""

    def __init__(self, image_size: tuple[int, int], filters: Tensor) -> None:
        super().__init__()
        self.image_size = tuple(image_size)
        self.register_buffer("filters", filters, persistent=False)

    @classmethod
    def from_card(cls, card: Card, context: CardContext) -> _Cells:
        """The cells that a card describes."""
        return cls(context.image_size, **dict(card.parameters))

    def drive(self, image: Tensor) -> Tensor:
        """The filters' responses ``(B, n, k)`` to images ``(B, 1, h, w)``."""
        return torch.einsum("bhw,nkhw->bnk", image[:, 0], self.filters)

    def preferred(self, neuron: int, stimulus: Stimulus) -> Tensor | None:
        """The image ``(1, 1, h, w)`` in standardised units that excites one cell best; None under ``clip``."""
        if stimulus.radius is None:
            return None
        filters = stimulus.attainable(self.filters[neuron].double())
        best = torch.linalg.eigh(_gram(filters)).eigenvectors[:, -1]
        best = best if self.filters.shape[1] > 1 else best.abs()
        image = torch.einsum("k,khw->hw", best, filters)
        image = stimulus.background.double() + stimulus.radius * image / torch.linalg.vector_norm(image)
        return image.to(self.filters.dtype)


class SimpleCell(_Cells):
    """Simple cells: a Gabor filter, then rectification, ``max(0, <w, z>)`` with ``||w|| = 1`` and ``sum(w) = 0``.

    The linear-nonlinear model of a simple cell (Heeger 1992, Vis Neurosci 9:181). See :func:`gabor` for the
    parameters: lists describe a bank of as many cells, in that order.

    Raises
    ------
    UserError
        As :func:`gabor`.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        frequency: Numbers,
        orientation: Numbers,
        phase: Numbers = 0.0,
        sigma: Numbers = 0.3,
        center: Sequence = (0.0, 0.0),
    ) -> None:
        super().__init__(image_size, gabor(image_size, frequency, orientation, phase, sigma, center)[:, None])

    def forward(self, image: Tensor) -> Tensor:
        """Responses ``(B, n)`` to images ``(B, 1, h, w)``."""
        return _Rectify.apply(self.drive(image)[..., 0])

    def optimum(
        self, neurons: Sequence[int], stimulus: Stimulus, weights: Sequence[float] | None = None
    ) -> float | None:
        """The highest (weighted) mean response of ``neurons`` that the stimulus' constraint allows.

        With ``R`` the stimulus' radius it is ``R ||w||`` for one cell, w the attainable part of its filter (of norm 1
        where the mask vanishes nowhere). The mean of several is ``R max_S || sum_{i in S} a_i w_i ||`` over all subsets
        S of them, since a sum of rectified drives with positive weights a is the greatest of the sums over subsets.
        None under ``clip``, or with more than 16 cells.
        """
        if stimulus.radius is None or len(neurons) > MAX_CELLS_IN_CLOSED_FORM:
            return None
        share = torch.tensor(weights if weights is not None else [1.0] * len(neurons), dtype=torch.float64)
        filters = stimulus.attainable(self.filters[list(neurons), 0].double()).cpu()
        gram = _gram(filters * (share / share.sum())[:, None, None])
        subsets = torch.arange(2 ** len(neurons))[:, None].bitwise_right_shift(torch.arange(len(neurons))) & 1
        subsets = subsets.double()
        return stimulus.radius * math.sqrt(float(((subsets @ gram) * subsets).sum(1).max()))


class ComplexCell(_Cells):
    """Complex cells: ``sqrt(<w_even, z>^2 + <w_odd, z>^2)``, the energy model, blind to phase.

    The even and the odd Gabor are orthonormalised, so that the response is the norm of the image's projection on
    their plane, at most that of the image (Adelson & Bergen 1985, J Opt Soc Am A 2:284, with a square root).

    Parameters
    ----------
    image_size, frequency, orientation, sigma, center
        As in :func:`gabor`; lists describe a bank.

    Raises
    ------
    UserError
        As :func:`gabor`.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        frequency: Numbers,
        orientation: Numbers,
        sigma: Numbers = 0.3,
        center: Sequence = (0.0, 0.0),
    ) -> None:
        pair = torch.stack(
            [gabor(image_size, frequency, orientation, phase, sigma, center) for phase in (0.0, 90.0)], dim=1
        )
        basis = torch.linalg.qr(pair.double().flatten(2).mT).Q
        super().__init__(image_size, basis.mT.reshape(pair.shape).float())

    def forward(self, image: Tensor) -> Tensor:
        """Responses ``(B, n)`` to images ``(B, 1, h, w)``."""
        return torch.linalg.vector_norm(self.drive(image), dim=-1)

    def optimum(
        self, neurons: Sequence[int], stimulus: Stimulus, weights: Sequence[float] | None = None
    ) -> float | None:
        """The highest response of one cell: ``R sqrt(lambda)``.

        R is the stimulus' radius and lambda the largest eigenvalue of the Gram matrix of the pair's attainable part
        (1 where the mask vanishes nowhere). None under ``clip`` and for the mean of several cells, for which no
        closed form is known.
        """
        if stimulus.radius is None or len(neurons) != 1:
            return None
        gram = _gram(stimulus.attainable(self.filters[neurons[0]].double()))
        return stimulus.radius * math.sqrt(float(torch.linalg.eigvalsh(gram)[-1]))


def _gram(filters: Tensor) -> Tensor:
    """The inner products ``(k, k)`` of filters ``(k, h, w)``."""
    return filters.flatten(1) @ filters.flatten(1).mT
