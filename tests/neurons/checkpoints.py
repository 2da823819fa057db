"""Checkpoints of random weights, in the exact formats that :mod:`mitsuba_mei.neurons.nnvision` reads."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["attention_state", "macaque_v1_state", "macaque_v4_state", "point_pooled_state"]


def point_pooled_state(
    seed: int = 0,
    neurons: int = 5,
    channels: int = 4,
    first_kernel: int = 5,
    layers: int = 2,
    kernel: int = 3,
    squeezed: int = 2,
    poolings: int = 2,
    session: str = "all_sessions",
) -> dict[str, Tensor]:
    """A V1 model's ``state_dict``, float32.

    Parameters
    ----------
    seed, neurons, channels : int
    first_kernel, kernel : int
        Pixels, of the first and the later layers.
    layers : int
        After the first.
    squeezed : int
        Channels between squeeze and excitation; without where 0.
    poolings : int
    session : str
    """
    generator = torch.Generator().manual_seed(seed)
    width = (poolings + 1) * channels
    return _core_state(generator, channels, first_kernel, layers, kernel, squeezed) | {
        f"readout.{session}.grid": 2.4 * torch.rand(1, neurons, 1, 2, generator=generator) - 1.2,
        f"readout.{session}.features": _normal(generator, 1, width, 1, neurons, scale=1 / math.sqrt(width)),
        f"readout.{session}.bias": _normal(generator, neurons, scale=0.3),
    }


def attention_state(
    seed: int = 0,
    neurons: int = 5,
    channels: int = 4,
    first_kernel: int = 5,
    layers: int = 2,
    kernel: int = 3,
    squeezed: int = 0,
    embedding: int = 6,
    image_size: tuple[int, int] = (14, 14),
    session: str = "all_sessions",
) -> dict[str, Tensor]:
    """A V4 model's ``state_dict``, float32.

    Parameters
    ----------
    seed, neurons, channels, first_kernel, layers, kernel, squeezed, session
        As for :func:`point_pooled_state`; ``kernel`` is odd.
    embedding : int
        Length of a key, and of a value.
    image_size : (h, w)
        Pixels.
    """
    generator = torch.Generator().manual_seed(seed)
    places = math.prod(size - first_kernel + 1 for size in image_size)
    return _core_state(generator, channels, first_kernel, layers, kernel, squeezed) | {
        "readout.position_embedding.twod_pe": _normal(generator, channels, places),
        "readout.to_kv.weight": _normal(generator, 2 * embedding, channels, scale=1 / math.sqrt(channels)),
        f"readout.{session}.features": _normal(generator, 1, embedding, neurons, scale=1 / math.sqrt(embedding)),
        f"readout.{session}.neuron_query": _normal(generator, 1, embedding, neurons),
        f"readout.{session}.bias": _normal(generator, neurons, scale=0.3),
        f"readout.{session}.scale": torch.tensor(embedding**-0.5),
        f"readout.{session}.T": torch.tensor(0.8),
    }


def macaque_v1_state(seed: int = 0) -> dict[str, Tensor]:
    """Random weights in the sizes of the published V1 model, 458 neurons."""
    return point_pooled_state(seed, neurons=458, channels=32, first_kernel=24, kernel=9)


def macaque_v4_state(seed: int = 0, neurons: int = 1244, channels: int = 96) -> dict[str, Tensor]:
    """Random weights in the sizes of the published V4 model, 1,244 neurons of 96 channels."""
    return attention_state(
        seed, neurons, channels, first_kernel=9, layers=4, kernel=5, embedding=128, image_size=(100, 100)
    )


def _normal(generator: torch.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=generator)


def _core_state(
    generator: torch.Generator, channels: int, first_kernel: int, layers: int, kernel: int, squeezed: int
) -> dict[str, Tensor]:
    state = {"core._input_weights_regularizer.laplace.filter": torch.zeros(1, 1, 3, 3)}
    for layer in range(layers + 1):
        name = f"core.features.layer{layer}"
        if layer == 0:
            state[f"{name}.conv.weight"] = _normal(
                generator, channels, 1, first_kernel, first_kernel, scale=1 / first_kernel
            )
        else:
            pointwise = {"scale": 1 / math.sqrt(channels)}
            state[f"{name}.ds_conv.in_depth_conv.weight"] = _normal(generator, channels, channels, 1, 1, **pointwise)
            state[f"{name}.ds_conv.spatial_conv.weight"] = _normal(
                generator, channels, 1, kernel, kernel, scale=1 / kernel
            )
            state[f"{name}.ds_conv.out_depth_conv.weight"] = _normal(generator, channels, channels, 1, 1, **pointwise)
        state[f"{name}.norm.weight"] = 1 + _normal(generator, channels, scale=0.2)
        state[f"{name}.norm.bias"] = _normal(generator, channels, scale=0.2)
        state[f"{name}.norm.running_mean"] = _normal(generator, channels, scale=0.2)
        state[f"{name}.norm.running_var"] = 0.5 + torch.rand(channels, generator=generator)
        state[f"{name}.norm.num_batches_tracked"] = torch.tensor(2)
        if layer and squeezed:
            state[f"{name}.seg_ex_block.se.1.weight"] = _normal(generator, squeezed, channels)
            state[f"{name}.seg_ex_block.se.1.bias"] = _normal(generator, squeezed, scale=0.5)
            state[f"{name}.seg_ex_block.se.3.weight"] = _normal(generator, channels, squeezed)
            state[f"{name}.seg_ex_block.se.3.bias"] = _normal(generator, channels, scale=0.5)
    return state
