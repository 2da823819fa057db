"""The networks of the published macaque models: a convolutional core, and a readout for each neuron.

Only inference: batch norm is folded into the convolutions, ``train()`` changes nothing, and no weight has a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..objectives import check_neurons

__all__ = ["AttentionReadout", "Core", "Encoder", "PointPooledReadout", "Separable", "SqueezeExcite", "Stem"]

POOL = 3  # pixels: side and stride of a pooling


class Stem(nn.Module):
    """Convolution of one channel without padding, and ELU: ``(B, 1, h, w)`` to ``(B, h', w', c)``.

    A product with the image's patches: torch's convolution of one channel is slow backwards.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.kernel = weight.shape[-1]
        self.register_buffer("weight", weight.flatten(1).mT.contiguous(), persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        batch, _, h, w = image.shape
        patches = image.unfold(2, self.kernel, 1).unfold(3, self.kernel, 1).reshape(-1, self.kernel**2)
        x = F.elu_(torch.addmm(self.bias, patches, self.weight))
        return x.view(batch, h - self.kernel + 1, w - self.kernel + 1, -1)


class Separable(nn.Module):
    """1x1, depthwise and 1x1 convolution, and ELU, on ``(B, h, w, c)`` (Chollet 2017, CVPR)."""

    def __init__(self, enter: Tensor, spatial: Tensor, leave: Tensor, bias: Tensor, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.register_buffer("enter", enter.flatten(1).mT.contiguous(), persistent=False)
        self.register_buffer("spatial", spatial, persistent=False)
        self.register_buffer("leave", leave.flatten(1).mT.contiguous(), persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.mm(x.reshape(-1, x.shape[-1]), self.enter).view(*x.shape[:3], -1)
        y = _depthwise(y, self.spatial, self.dilation)
        # in place before the view: ELU's gradient then needs no exponential, and nothing is copied
        return F.elu_(torch.addmm(self.bias, y.reshape(-1, y.shape[-1]), self.leave)).view(*y.shape[:3], -1)


def _depthwise(x: Tensor, weight: Tensor, dilation: int) -> Tensor:
    """Each channel of ``(B, h, w, c)`` convolved with its own of the kernels ``(c, 1, k, k)``, zeros outside."""
    kernel = weight.shape[-1]
    if dilation == 1 or kernel % 2 == 0:
        padding = padding_of(kernel, dilation)
        x = F.conv2d(x.permute(0, 3, 1, 2), weight, padding=padding, dilation=dilation, groups=len(weight))
        return x.permute(0, 2, 3, 1)
    # Every dilation-th pixel is an image of its own: torch's dilated convolution takes five times as long.
    batch, h, w, channels = x.shape
    x = F.pad(x, (0, 0, 0, -w % dilation, 0, -h % dilation))
    grid = (x.shape[1] // dilation, dilation, x.shape[2] // dilation, dilation)
    x = x.view(batch, *grid, channels).permute(2, 4, 0, 1, 3, 5).reshape(-1, grid[0], grid[2], channels)
    x = _depthwise(x, weight, 1).reshape(dilation, dilation, batch, grid[0], grid[2], channels)
    return x.permute(2, 3, 0, 4, 1, 5).reshape(batch, grid[0] * dilation, -1, channels)[:, :h, :w]


def padding_of(kernel: int, dilation: int) -> int:
    return ((kernel - 1) * dilation + 1) // 2


class SqueezeExcite(nn.Module):
    """Channels of ``(B, h, w, c)`` weighted by a function of their means (Hu, Shen & Sun 2018, CVPR)."""

    def __init__(self, squeeze: Tensor, squeeze_bias: Tensor, excite: Tensor, excite_bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("squeeze", squeeze, persistent=False)
        self.register_buffer("squeeze_bias", squeeze_bias, persistent=False)
        self.register_buffer("excite", excite, persistent=False)
        self.register_buffer("excite_bias", excite_bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = F.relu(F.linear(x.mean((1, 2)), self.squeeze, self.squeeze_bias))
        return x * torch.sigmoid(F.linear(squeezed, self.excite, self.excite_bias))[:, None, None]


class Core(nn.Module):
    """Features shared by all neurons: ``(B, 1, h, w)`` to ``(B, c, h', w')``, channels last in memory.

    Parameters
    ----------
    layers : sequence of nn.Module
        From ``(B, 1, h, w)`` to ``(B, h', w', c)``, and so on.
    channels : int
        c of the last.
    shrinkage : int
        ``h - h'`` and ``w - w'``, pixels.
    """

    def __init__(self, layers: Sequence[nn.Module], channels: int, shrinkage: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.channels, self.shrinkage = channels, shrinkage

    def forward(self, image: Tensor) -> Tensor:
        """Features ``(B, c, h', w')`` of images ``(B, 1, h, w)``."""
        return self.layers(image).permute(0, 3, 1, 2)


class PointPooledReadout(nn.Module):
    """A neuron's drive is a weighted sum of the features at one point, at several scales.

    The point pooled readout of Sinz et al. (2018, NeurIPS): each further scale is an average over 3 x 3 pixels, stride
    3, of the one before; sampled bilinearly, zero outside.

    Parameters
    ----------
    points : Tensor ``(n, 2)``
        x to the right and y down, -1 and 1 the centres of the first and last pixel; clamped to that range.
    features : Tensor ``(scales, c, n)``
    bias : Tensor ``(n,)``
    """

    def __init__(self, points: Tensor, features: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("points", points.clamp(-1, 1), persistent=False)
        self.register_buffer("features", features, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Drives ``(B, n)`` from features ``(B, c, h, w)``."""
        points = self.points[:, None].expand(len(x), -1, -1, -1)
        drive = self.bias
        for scale, features in enumerate(self.features):
            if scale:
                x = F.avg_pool2d(x, POOL)
            sampled = F.grid_sample(x, points, mode="bilinear", padding_mode="zeros", align_corners=True)[..., 0]
            drive = drive + (sampled * features).sum(1)
        return drive

    def select(self, neurons: Sequence[int]) -> PointPooledReadout:
        """The readout of these neurons, in this order."""
        index = list(neurons)
        return PointPooledReadout(self.points[index], self.features[..., index], self.bias[index])


class AttentionReadout(nn.Module):
    r"""A neuron's drive is a weighted sum of the features at the places that it attends to.

    The attention readout of Pierzchlewicz et al. (2023, NeurIPS). With features and position embedding
    :math:`x_s` at place s, keys :math:`W_k x_s`, values :math:`W_v x_s`, a neuron's query q and weights f,

    .. math:: a_s \propto \exp(\tfrac{scale}{T} q^T W_k x_s), \qquad drive = f^T W_v \sum_s a_s x_s + bias,

    so that neither keys nor values need be computed, only ``key = scale / T W_k^T q`` and ``value = W_v^T f``.

    Parameters
    ----------
    position : Tensor ``(s, c)``
        What is added to the features, row by row.
    keys, values : Tensor ``(n, c)``
    bias : Tensor ``(n,)``
    """

    def __init__(self, position: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.register_buffer("position", position, persistent=False)
        self.register_buffer("keys", keys, persistent=False)
        self.register_buffer("values", values, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Drives ``(B, n)`` from features ``(B, c, h, w)``."""
        x = x.flatten(2).mT + self.position
        # Places before neurons, as the publisher has it. On a CPU torch sums such a softmax place after place, in
        # float32 with a relative error of 2e-5; the publisher's responses share it, and are 1e-4 off exact ones.
        attention = torch.matmul(x, self.keys.mT).softmax(1)
        return (torch.matmul(x.mT, attention) * self.values.mT).sum(1) + self.bias

    def select(self, neurons: Sequence[int]) -> AttentionReadout:
        """The readout of these neurons, in this order."""
        index = list(neurons)
        return AttentionReadout(self.position, self.keys[index], self.values[index], self.bias[index])


class Encoder(nn.Module):
    """Responses ``ELU(readout(core(image))) + 1``, above 0.

    Parameters
    ----------
    core : Core
    readout : PointPooledReadout or AttentionReadout
    """

    def __init__(self, core: Core, readout: PointPooledReadout | AttentionReadout) -> None:
        super().__init__()
        self.core, self.readout = core, readout

    @property
    def n_neurons(self) -> int:
        return len(self.readout.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Responses ``(B, n)`` to standardised images ``(B, 1, h, w)``."""
        return F.elu(self.readout(self.core(image))) + 1

    def select(self, neurons: Sequence[int]) -> Encoder:
        """These neurons alone, in this order; their encoder shares this one's core and computes no other neuron.

        Raises
        ------
        UserError
            Where none is named, one is named twice, or lies outside ``0..n_neurons - 1``.
        """
        return Encoder(self.core, self.readout.select(check_neurons(neurons, self.n_neurons)))
