"""From the renderer's radiance to the neuron's input: luminance, size, blur, and one constraint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config.sections import DEFAULT_NORM
from .errors import UserError, nearest

__all__ = ["LUMINANCE", "Stimulus", "gaussian_blur", "image_coordinates"]

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of linear Rec. 709 red, green and blue."""

ROUNDING = 1e-5  # contrast below this fraction of the luminance is rounding of a constant image


def image_coordinates(image_size: tuple[int, int], dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Coordinates of an image's pixel centres, in half image widths.

    Parameters
    ----------
    image_size : (h, w)
        Pixels.

    Returns
    -------
    x, y : Tensor ``(h, w)``
        x grows to the right from -1 to 1 between the left and the right edge; y grows upwards, 0 in the middle.
    """
    h, w = image_size
    x = (2 * torch.arange(w, dtype=dtype) + 1 - w) / w
    y = (h - 1 - 2 * torch.arange(h, dtype=dtype)) / w
    y, x = torch.meshgrid(y, x, indexing="ij")
    return x, y


class Stimulus(nn.Module):
    r"""Turns a rendered image into a neuron's input, under exactly one constraint.

    With ``L`` the luminance at the model's size, ``g`` the mask (1 without one) and ``m = sum(g L) / sum(g)``,
    the contrast image is ``c = g (L - m)``, whose sum is zero. The input ``z`` is, under

    - ``norm``: ``z = norm * u / ||u||`` with ``u = c / std``: the mean grey level is the model's ``mean``.
    - ``contrast``: ``z = (255 (display_mean + contrast * c / rms(c)) - mean) / std``. Mean and RMS contrast are
      fractions of the display's range.
    - ``clip``: ``z = (255 (m + g (L - m)) - mean) / std`` with ``L`` clipped to [0, 1] first: radiance 0 is black, 1
      is white, and what lies beyond has no gradient.

    Grey levels are linear in luminance. Under ``norm`` and ``contrast`` only the shape of ``c`` counts: a brighter
    light changes nothing, and grey levels may leave 0 to 255. With three channels ``m`` is taken channel by channel,
    norm and rms over all: a tint that is the same all over the image is lost, and the background of a coloured object
    takes on the complementary one. ``clip`` leaves colours as they are. Where the image is constant (within rounding)
    ``c`` and its gradient are 0.

    Parameters
    ----------
    image_size : (h, w)
        The model's input, pixels. A render of another aspect ratio is cropped about its centre, and a larger one is
        shrunk by an antialiased bilinear filter.
    channels : 1 or 3
        With 1 the luminance (Rec. 709) of a colour render is shown; with 3 a grey render is repeated.
    mean, std : float or sequence of ``channels`` floats
        The grey levels (0 to 255) that the model standardises with.
    norm : float, optional
        Euclidean norm of ``z``. 25 where no constraint is given.
    contrast : float, optional
        RMS contrast, a fraction of the display's range: 0.2 is a standard deviation of 51 grey levels.
    display_mean : float
        Mean luminance under ``contrast``, inside (0, 1).
    clip : bool
        Show radiance as it is.
    mask : mapping, optional
        A gaussian envelope ``exp(-r^2 / (2 sigma^2))``: ``sigma`` (half image widths) and ``center`` (x right, y up,
        half image widths; default the middle).

    Raises
    ------
    UserError
        More than one constraint, a value outside its range, an unknown key of the mask, a mask outside the image.
    """

    def __init__(
        self,
        image_size: tuple[int, int],
        channels: int,
        mean: float | Sequence[float],
        std: float | Sequence[float],
        norm: float | None = None,
        contrast: float | None = None,
        display_mean: float = 0.5,
        clip: bool = False,
        mask: Mapping | None = None,
    ) -> None:
        super().__init__()
        constraints = {"norm": norm is not None, "contrast": contrast is not None, "clip": clip}
        given = [name for name, on in constraints.items() if on]
        if len(given) > 1:
            raise UserError(f"stimulus has {' and '.join(given)}; exactly one of norm, contrast and clip is allowed")
        self.constraint = given[0] if given else "norm"
        self.norm = DEFAULT_NORM if not given else norm
        self.contrast, self.display_mean = contrast, display_mean
        for name, value in (("norm", self.norm), ("contrast", contrast)):
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"stimulus.{name} is {value}; it must be a positive number")
        if not 0 < display_mean < 1:
            raise UserError(
                f"stimulus.mean is {display_mean}; it must lie inside (0, 1), a fraction of the display's range"
            )
        self.image_size, self.channels = tuple(image_size), channels
        for name, value in (("model_mean", mean), ("model_std", std)):
            value = torch.as_tensor(value, dtype=torch.float32).reshape(-1, 1, 1).expand(channels, 1, 1)
            self.register_buffer(name, value.clone(), persistent=False)
        self.register_buffer("luminance", torch.tensor(LUMINANCE).reshape(3, 1, 1), persistent=False)
        self.register_buffer("mask", _envelope(self.image_size, mask), persistent=False)

    def check_resolution(self, height: int, width: int) -> None:
        """Raise UserError where a render of this size would have to be enlarged for the model."""
        h, w = self.image_size
        rows, columns = _crop(height, width, h / w)
        if rows < h or columns < w:
            raise UserError(
                f"the render has {width} x {height} pixels, fewer than the model's {w} x {h}; "
                f"render.resolution must be at least {max(h, w)}"
            )

    def forward(self, image: Tensor) -> Tensor:
        """The neuron's input of a rendered image.

        Parameters
        ----------
        image : Tensor ``(H, W, 1 or 3)``
            Linear radiance.

        Returns
        -------
        Tensor ``(1, channels, h, w)``
            Standardised: ``(grey level - mean) / std``.
        """
        shown = self.resample(image)
        if self.constraint == "clip":
            shown = shown.clamp(0, 1)
            m = self._weighted_mean(shown)
            return ((255 * (m + self.mask * (shown - m)) - self.model_mean) / self.model_std)[None]
        c = self._contrast_image(shown)
        if not self._visible(c, shown):
            return self.background + 0 * c[None]
        if self.constraint == "norm":
            u = c / self.model_std
            return (self.norm * u / torch.linalg.vector_norm(u))[None]
        return self.background + (255 * self.contrast / self.model_std * c / c.square().mean().sqrt())[None]

    def resample(self, image: Tensor) -> Tensor:
        """Radiance ``(H, W, C)`` in the model's channels and size, ``(channels, h, w)``."""
        if image.ndim != 3 or image.shape[2] not in (1, 3):
            raise ValueError(f"expected an image (H, W, 1 or 3), got {tuple(image.shape)}")
        image = image.permute(2, 0, 1)
        if self.channels == 1 and image.shape[0] == 3:
            image = (image * self.luminance).sum(0, keepdim=True)
        height, width = image.shape[1:]
        rows, columns = _crop(height, width, self.image_size[0] / self.image_size[1])
        top, left = (height - rows) // 2, (width - columns) // 2
        image = image[:, top : top + rows, left : left + columns]
        if image.shape[1:] != self.image_size:
            image = F.interpolate(image[None], self.image_size, mode="bilinear", antialias=True)[0]
        return image.expand(self.channels, -1, -1)

    @property
    def radius(self) -> float | None:
        """The norm of ``z - background``, the same for every image.

        None where it is not: under ``clip``, and under ``contrast`` with channels of unlike ``std``.
        """
        if self.constraint == "norm":
            return float(self.norm)
        if self.constraint == "clip" or (self.model_std != self.model_std[0]).any():
            return None
        count = self.channels * self.image_size[0] * self.image_size[1]
        return 255 * self.contrast * math.sqrt(count) / float(self.model_std[0])

    @property
    def background(self) -> Tensor:
        """The input's value ``(1, channels, 1, 1)`` where the contrast image is zero (not used under ``clip``)."""
        if self.constraint == "norm":
            return torch.zeros_like(self.model_mean)[None]
        return ((255 * self.display_mean - self.model_mean) / self.model_std)[None]

    def attainable(self, images: Tensor) -> Tensor:
        """The part of ``(..., channels, h, w)`` images that some render can reach under ``norm`` or ``contrast``.

        It is the orthogonal projection on what sums to zero and vanishes where the mask does (in floating point).
        """
        support = (self.mask > 0).to(images.dtype)
        images = images * support
        return images - support * images.sum((-2, -1), keepdim=True) / support.sum()

    def contrast_energy(self, image: Tensor) -> float:
        """RMS contrast of a render ``(H, W, C)`` under the mask, over its mean luminance: 0 where nothing is seen.

        A black image and a uniform one give exactly 0; an image with a non-finite pixel gives NaN.
        """
        with torch.no_grad():
            shown = self.resample(image)
            c = self._contrast_image(shown)
            level = (self.mask * shown.abs()).sum() / (self.mask.sum() * self.channels)
            energy = c.square().mean().sqrt()
            if not torch.isfinite(energy):
                return math.nan
            return float(energy / level) if self._visible(c, shown) else 0.0

    def to_grey(self, z: Tensor, clip: bool = True) -> Tensor:
        """An input ``(1, channels, h, w)`` as grey levels: ``(h, w)``, or ``(h, w, 3)``; 0 to 255 where clipped."""
        grey = z.detach()[0] * self.model_std + self.model_mean
        grey = grey.clamp(0, 255) if clip else grey
        return grey[0] if self.channels == 1 else grey.permute(1, 2, 0)

    def outside_display(self, z: Tensor) -> float:
        """The fraction of an input's values, in grey levels, that are below black, 0, or beyond white, 255."""
        grey = self.to_grey(z, clip=False)
        return ((grey < -0.5) | (grey > 255.5)).float().mean().item()

    def _weighted_mean(self, shown: Tensor) -> Tensor:
        return (self.mask * shown).sum((-2, -1), keepdim=True) / self.mask.sum()

    def _contrast_image(self, shown: Tensor) -> Tensor:
        return self.mask * (shown - self._weighted_mean(shown))

    def _visible(self, c: Tensor, shown: Tensor) -> bool:
        reference = torch.linalg.vector_norm((self.mask * shown).detach())
        return bool(torch.linalg.vector_norm(c.detach()) > ROUNDING * reference)


def _crop(height: int, width: int, aspect: float) -> tuple[int, int]:
    """The largest centred (rows, columns) of a render with the aspect ratio height / width ``aspect``."""
    if height > width * aspect:
        return round(width * aspect), width
    return height, round(height / aspect)


def _envelope(image_size: tuple[int, int], mask: Mapping | None) -> Tensor:
    if mask is None:
        return torch.ones(image_size)
    for key in mask:
        if key not in ("sigma", "center"):
            raise UserError(f"stimulus.mask has no '{key}'; {nearest(key, ('sigma', 'center'))}")
    sigma, center = mask.get("sigma"), mask.get("center", (0.0, 0.0))
    if sigma is None or not 0 < sigma < math.inf:
        raise UserError(f"stimulus.mask.sigma is {sigma}; it must be a positive number, in half image widths")
    if len(center) != 2 or not all(math.isfinite(v) for v in center):
        raise UserError(f"stimulus.mask.center is {list(center)}; it must be two numbers [x, y], in half image widths")
    x, y = image_coordinates(image_size)
    envelope = torch.exp(-((x - center[0]) ** 2 + (y - center[1]) ** 2) / (2 * sigma**2))
    if envelope.sum() < 1:
        raise UserError(
            f"stimulus.mask (sigma {sigma:g}, center {list(center)}) leaves less than one pixel of the "
            f"{image_size[1]} x {image_size[0]} image; move it inside or widen it"
        )
    return envelope


NARROW = 0.1


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur by a gaussian; beyond the edges everything is 0.

    Parameters
    ----------
    images : Tensor
        (B, C, h, w).
    sigma : float
        Standard deviation, pixels; below 0.1, where no neighbour counts, the images stay as they are.
    """
    if sigma < NARROW:
        return images
    radius = math.ceil(3 * sigma)
    kernel = torch.exp(-torch.arange(-radius, radius + 1, device=images.device).square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(images.dtype)
    channels = images.shape[1]
    rows = kernel.reshape(1, 1, 1, -1).expand(channels, -1, -1, -1)
    columns = kernel.reshape(1, 1, -1, 1).expand(channels, -1, -1, -1)
    images = F.conv2d(images, rows, padding=(0, radius), groups=channels)
    return F.conv2d(images, columns, padding=(radius, 0), groups=channels)
