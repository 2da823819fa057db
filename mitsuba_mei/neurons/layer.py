"""A layer or channel of any network, as neurons."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from torch import Tensor, nn

from ..errors import UserError
from .model import FeatureExtractor

__all__ = ["Layer", "layer"]


class Layer(FeatureExtractor):
    """Values of a layer at one position, (B, n): one for each channel, or for those that are chosen.

    Parameters
    ----------
    module, name
        As for :class:`~mitsuba_mei.neurons.model.FeatureExtractor`.
    channels : sequence of int, optional
        All by default.
    position : {'centre', 'mean'}, int or (row, column)
        As for :func:`layer`.
    """

    def __init__(
        self,
        module: nn.Module,
        name: str,
        channels: Sequence[int] | None = None,
        position: str | int | tuple[int, int] = "centre",
    ) -> None:
        super().__init__(module, name, "layer")
        self.channels = None if channels is None else list(channels)
        listed = "" if channels is None else f", channel {', '.join(map(str, channels))}"
        self.title = f"{type(module).__name__}, layer {name}{listed}"
        self.position = position

    def extra_repr(self) -> str:
        """What tells it from another layer of the same network."""
        return f"{self._name!r}, channels={self.channels}, position={self.position!r}"

    def forward(self, images: Tensor) -> Tensor:
        values = self.values(images)
        if values.ndim == 4:
            values = self._of_map(values)
        elif values.ndim == 3:
            values = self._of_tokens(values)
        elif values.ndim != 2:
            shape = tuple(values.shape)
            raise UserError(
                f"layer '{self._name}' gives {shape}; name one that gives a map, tokens or a vector an image"
            )
        if self.channels is None:
            return values
        wrong = [channel for channel in self.channels if not 0 <= channel < values.shape[1]]
        if wrong:
            raise UserError(f"layer '{self._name}' has no channel {wrong[0]}; allowed: 0..{values.shape[1] - 1}")
        return values[:, self.channels]

    def _of_map(self, values: Tensor) -> Tensor:
        """Channels of a map (B, C, H, W), (B, C)."""
        height, width = values.shape[2:]
        if self.position == "mean":
            return values.mean((2, 3))
        row, column = (height // 2, width // 2) if self.position == "centre" else self._pair()
        if not (0 <= row < height and 0 <= column < width):
            raise UserError(
                f"layer '{self._name}' is a map of {height} x {width}; position ({row}, {column}) lies outside"
            )
        return values[:, :, row, column]

    def _of_tokens(self, values: Tensor) -> Tensor:
        """Features of tokens (B, T, D), (B, D)."""
        count = values.shape[1]
        if self.position == "mean":
            return values.mean(1)
        if isinstance(self.position, int):
            token = self.position
        else:
            extra, side = _grid(count)
            if not side:
                raise UserError(
                    f"layer '{self._name}' gives {count} tokens, which are no square of patches; give position as the "
                    "number of a token, or 'mean'"
                )
            row, column = (side // 2, side // 2) if self.position == "centre" else self._pair()
            if not (0 <= row < side and 0 <= column < side):
                raise UserError(
                    f"layer '{self._name}' has {side} x {side} patches; position ({row}, {column}) lies outside"
                )
            token = extra + row * side + column
        if not -count <= token < count:
            raise UserError(f"layer '{self._name}' gives {count} tokens; position {token} is none of them")
        return values[:, token]

    def _pair(self) -> tuple[int, int]:
        if not (isinstance(self.position, (tuple, list)) and len(self.position) == 2):
            raise UserError(f"layer: position is {self.position!r}; give 'centre', 'mean', or (row, column)")
        row, column = self.position
        return int(row), int(column)


def _grid(count: int) -> tuple[int, int]:
    """Tokens before a square of patches (a class token, registers), and the square's side; 0 where there is none."""
    for extra in (0, 1, 5):
        side = round(max(0, count - extra) ** 0.5)
        if side and side * side == count - extra:
            return extra, side
    return 0, 0


def layer(
    network: nn.Module,
    name: str,
    channel: int | Sequence[int] | None = None,
    position: str | int | tuple[int, int] = "centre",
) -> Layer:
    """A layer of a network as a model: its channels at one position are the neurons.

    Parameters
    ----------
    network : nn.Module
        It is copied.
    name : str
        Of the layer, as ``named_modules`` says it: ``features.7``.
    channel : int or sequence of int, optional
        The neurons; all channels by default.
    position : {'centre', 'mean'}, int or (row, column)
        Where in the map, or among a transformer's patches; ``mean`` is over all of them, an integer the number of a
        token.

    Returns
    -------
    nn.Module
        From images ``(B, channels, h, w)`` to responses ``(B, n)``.

    Raises
    ------
    UserError
        If there is no such layer.

    Examples
    --------
    >>> import torch, mitsuba_mei as mm
    >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 5), torch.nn.ReLU())
    >>> mm.layer(network, "1", channel=3)(torch.zeros(2, 1, 16, 16)).shape
    torch.Size([2, 1])
    """
    channels = None if channel is None else [channel] if isinstance(channel, int) else list(channel)
    return Layer(copy.deepcopy(network), name, channels, position)
