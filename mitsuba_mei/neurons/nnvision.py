"""Published encoding models of macaque V1 and V4 (nnvision), read from a plain ``state_dict``."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ..config.card import PublishedCard
from ..errors import UserError
from ..io.download import Source, obtain
from .formats import CardContext
from .model import Ensemble
from .nnvision_layers import (
    POOL,
    AttentionReadout,
    Core,
    Encoder,
    PointPooledReadout,
    Separable,
    SqueezeExcite,
    Stem,
    padding_of,
)
from .state_dict import read_state
from .wrappers import without_prefix

__all__ = ["build_nnvision", "build_published"]

EPSILON = 1e-5  # of batch norm
UNUSED = re.compile(r"core\._input_weights_regularizer\.laplace\.filter|.*\bnum_batches_tracked")
STEM = "core.features.layer0.conv.weight"
SQUEEZE = "seg_ex_block.se"
KV = "readout.to_kv.weight"
POSITION = "readout.position_embedding.twod_pe"
PREFIXED = re.compile(r"((?:\w+\.)+?)(?:core\.features|readout\.\w+)\.")

# ------------------------------------------------------------------------------------------------------ the formats

Shape = tuple["int | str | tuple[int, str]", ...]
"""A shape as it should be: a number, a size that other keys share, or ``(k, size)``, k times it; any multiple if 0."""


def build_published(card: PublishedCard, context: CardContext) -> Encoder | Ensemble:
    """The checkpoint's model, or the ensemble of several."""
    where = context.at(("weights",))
    members = []
    for file in card.weights:
        path = obtain(Source(file.source, file.sha256), where.folder, where, context.on_message)
        try:
            members.append(build_nnvision(read_state(path, where), context.image_size, card.parameters.dilation))
        except UserError as error:
            raise error if str(error).startswith(str(where)) else UserError(f"{where}: '{path}': {error}") from None
    if len(members) == 1:
        return members[0]
    try:
        return Ensemble(members)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def build_nnvision(state: Mapping[str, Tensor], image_size: tuple[int, int], dilation: int | None = None) -> Encoder:
    """The encoding model whose ``state_dict`` this is.

    Two formats are known by their keys: ``readout.<session>.grid`` is that of a V1 model with a point-pooled readout,
    ``readout.to_kv.weight`` that of a V4 model with an attention readout (Pierzchlewicz et al. 2023, NeurIPS). The
    number of layers, channels, neurons and poolings, the kernels, and which layers have squeeze and excitation follow
    from the keys and their shapes.

    Parameters
    ----------
    state : mapping
        From keys to floating-point tensors. Not needed, and ignored: ``core._input_weights_regularizer.laplace.filter``
        and every ``num_batches_tracked``.
    image_size : (h, w)
        Pixels.
    dilation : int, optional
        Of the depthwise convolutions, which the checkpoint does not tell; 1 by default.

    Returns
    -------
    Encoder
        In float32, or float64 where the checkpoint is. It has buffers and no parameters.

    Raises
    ------
    UserError
        A format that is not known, keys that are missing, unknown or misshapen, weights that are not finite
        floating-point numbers, an image size that the model cannot take, or a dilation outside ``1..max(image_size)``.
    """
    whole = isinstance(dilation, int) and not isinstance(dilation, bool)
    if dilation is not None and not (whole and 1 <= dilation <= max(image_size)):
        raise UserError(f"dilation is {dilation!r}; it must be a whole number from 1 to {max(image_size)}")
    session = _session(state)
    attention = KV in state
    depth = _depth(state)
    channels = f"channels {depth - 1}"
    expected = _core_shapes(state, depth)
    expected |= _attention_shapes(session, channels) if attention else _point_shapes(session, channels)
    _check_keys(state, expected)
    _check_tensors(state, expected)
    _check_shapes(state, expected)
    _check_values(state, expected, session)
    weights = {key: state[key].detach().double() for key in expected}
    core = _core(weights, depth, dilation or 1)
    if attention:
        _check_places(image_size, core.shrinkage, weights[POSITION].shape[1])
        readout = _attention_readout(weights, f"readout.{session}")
    else:
        readout = _point_readout(weights, f"readout.{session}", core.channels)
        _check_large_enough(image_size, core.shrinkage + POOL ** (len(readout.features) - 1))
    return Encoder(core, readout).to(torch.promote_types(torch.float32, state[STEM].dtype))


def _session(state: Mapping[str, Tensor]) -> str:
    """The readout's name, ``all_sessions`` or that of one recording session."""
    keys = [key for key in state if isinstance(key, str)] if isinstance(state, Mapping) else []
    fields = "features|bias|neuron_query|scale|T" if KV in keys else "grid|features|bias"
    own = re.compile(rf"readout\.(?!position_embedding\.|to_kv\.)(.+)\.(?:{fields})")
    sessions = sorted({match[1] for match in map(own.fullmatch, keys) if match})
    if KV not in keys and not any(f"readout.{session}.grid" in keys for session in sessions):
        raise UserError(
            "this is no checkpoint of a format that is known: it has neither a key 'readout.<session>.grid' nor "
            f"'{KV}'; allowed: the plain state_dict of an nnvision model with a point-pooled or an attention readout"
            f"{_prefixed(keys)}"
        )
    if len(sessions) > 1:
        raise UserError(f"the checkpoint has readouts of {len(sessions)} sessions, {_some(sessions)}; allowed: one")
    return sessions[0] if sessions else "all_sessions"


def _prefixed(keys: Iterable[str]) -> str:
    """A hint where wrappers have put their names before the keys."""
    prefix = next((match[1] for match in map(PREFIXED.match, keys) if match), "")
    return without_prefix(prefix, all(key.startswith(prefix) for key in keys))


def _depth(state: Mapping[str, Tensor]) -> int:
    """Number of layers of the core, at least 1."""
    matches = (re.match(r"core\.features\.layer(\d+)\.", str(key)) for key in state)
    return max(1, len({match[1] for match in matches if match}))


def _core_shapes(state: Mapping[str, Tensor], depth: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {STEM: ("channels 0", 1, "kernel 0", "kernel 0")}
    for layer in range(depth):
        name, channels = f"core.features.layer{layer}", f"channels {layer}"
        if layer:
            kernel, middle = f"kernel {layer}", f"middle channels {layer}"
            shapes[f"{name}.ds_conv.in_depth_conv.weight"] = (middle, f"channels {layer - 1}", 1, 1)
            shapes[f"{name}.ds_conv.spatial_conv.weight"] = (middle, 1, kernel, kernel)
            shapes[f"{name}.ds_conv.out_depth_conv.weight"] = (channels, middle, 1, 1)
        shapes |= {f"{name}.norm.{field}": (channels,) for field in ("weight", "bias", "running_mean", "running_var")}
        if layer and any(str(key).startswith(f"{name}.{SQUEEZE}.") for key in state):
            squeezed = f"squeezed channels {layer}"
            shapes[f"{name}.{SQUEEZE}.1.weight"] = (squeezed, channels)
            shapes[f"{name}.{SQUEEZE}.1.bias"] = (squeezed,)
            shapes[f"{name}.{SQUEEZE}.3.weight"] = (channels, squeezed)
            shapes[f"{name}.{SQUEEZE}.3.bias"] = (channels,)
    return shapes


def _point_shapes(session: str, channels: str) -> dict[str, Shape]:
    return {
        f"readout.{session}.grid": (1, "neurons", 1, 2),
        f"readout.{session}.features": (1, (0, channels), 1, "neurons"),
        f"readout.{session}.bias": ("neurons",),
    }


def _attention_shapes(session: str, channels: str) -> dict[str, Shape]:
    return {
        POSITION: (channels, "places"),
        f"readout.{session}.neuron_query": (1, "embedding", "neurons"),
        f"readout.{session}.features": (1, "embedding", "neurons"),
        KV: ((2, "embedding"), channels),
        f"readout.{session}.bias": ("neurons",),
        f"readout.{session}.scale": (),
        f"readout.{session}.T": (),
    }


# ------------------------------------------------------------------------------------------------------- the checks


def _some(items: Iterable[str]) -> str:
    """The first three, and how many more."""
    items = list(items)
    more = f" and {len(items) - 3} more" if len(items) > 3 else ""
    return ", ".join(items[:3]) + more


def _check_keys(state: Mapping[str, Tensor], expected: Mapping[str, Shape]) -> None:
    missing = [f"'{key}'" for key in expected if key not in state]
    extra = [f"'{key}'" for key in state if key not in expected and not UNUSED.fullmatch(str(key))]
    wrong = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(extra)}, which it must not"] * bool(extra)
    if wrong:
        raise UserError(f"the checkpoint {', and '.join(wrong)}")


def _check_tensors(state: Mapping[str, Tensor], keys: Iterable[str]) -> None:
    for key in keys:
        value = state[key]
        if not isinstance(value, Tensor) or value.layout is not torch.strided or not value.is_floating_point():
            kind = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
            raise UserError(f"the checkpoint's '{key}' is {kind}; it must be a dense tensor of floating-point numbers")
        if value.numel() == 0:
            raise UserError(f"the checkpoint's '{key}' has the shape {tuple(value.shape)}; it must not be empty")


def _check_shapes(state: Mapping[str, Tensor], expected: Mapping[str, Shape]) -> None:
    """Every size that keys share is what most of them say."""
    votes: dict[str, Counter[int]] = {}
    for key, shape in expected.items():
        for size, entry in zip(state[key].shape, shape) if state[key].ndim == len(shape) else ():
            factor, name = entry if isinstance(entry, tuple) else (1, entry)
            if isinstance(name, str) and factor and size % factor == 0:
                votes.setdefault(name, Counter())[size // factor] += 1
    sizes = {name: counter.most_common(1)[0][0] for name, counter in votes.items()}

    def expected_size(entry: int | str | tuple[int, str], actual: int) -> int | str:
        if isinstance(entry, int):
            return entry
        factor, name = entry if isinstance(entry, tuple) else (1, entry)
        size = sizes.get(name)
        return name if size is None else size * (factor or max(1, round(actual / size)))

    wrong = []
    for key, shape in expected.items():
        actual = tuple(state[key].shape)
        right = tuple(expected_size(entry, size) for entry, size in zip(shape, (*actual, *[1] * len(shape))))
        if actual != right:
            text = ", ".join(map(str, right)) + "," * (len(right) == 1)
            wrong.append(f"'{key}' with the shape {actual}, expected ({text})")
    if wrong:
        raise UserError(f"the checkpoint has {_some(wrong)}")


def _check_values(state: Mapping[str, Tensor], keys: Iterable[str], session: str) -> None:
    for key in keys:
        if not torch.isfinite(state[key].float()).all():
            raise UserError(f"the checkpoint's '{key}' holds a number that is not finite; every weight must be")
        if key.endswith(".running_var") and (state[key] < 0).any():
            raise UserError(f"the checkpoint's '{key}' holds a negative number; a variance must not be")
        if key == f"readout.{session}.T" and not state[key] > 0:
            raise UserError(f"the checkpoint's '{key}' is {float(state[key]):g}; a temperature must be above 0")


def _check_places(image_size: tuple[int, int], shrinkage: int, places: int) -> None:
    """The core's output must have as many places as the position embedding."""
    h, w = (max(0, size - shrinkage) for size in image_size)
    if h * w != places:
        side = math.isqrt(places)
        need = f"it must be {side + shrinkage} x {side + shrinkage}" if side**2 == places else "no square image does"
        raise UserError(
            f"an image of {image_size[0]} x {image_size[1]} pixels gives {h} x {w} places, not the {places} of the "
            f"checkpoint's position embedding; {need}"
        )


def _check_large_enough(image_size: tuple[int, int], least: int) -> None:
    if min(image_size) < least:
        raise UserError(
            f"an image of {image_size[0]} x {image_size[1]} pixels is too small for the checkpoint's convolutions and "
            f"poolings; it must be at least {least} x {least}"
        )


# ------------------------------------------------------------------------------------------------------ the weights


def _core(weights: Mapping[str, Tensor], depth: int, dilation: int) -> Core:
    layers: list[nn.Module] = []
    shrinkage = 0
    for layer in range(depth):
        name = f"core.features.layer{layer}"
        norm = {field: weights[f"{name}.norm.{field}"] for field in ("weight", "bias", "running_mean", "running_var")}
        gain = norm["weight"] / (norm["running_var"] + EPSILON).sqrt()
        bias = norm["bias"] - norm["running_mean"] * gain
        gain = gain[:, None, None, None]
        if layer == 0:
            layers.append(Stem(weights[STEM] * gain, bias))
            shrinkage += layers[0].kernel - 1
            continue
        enter, spatial, leave = (
            weights[f"{name}.ds_conv.{part}.weight"] for part in ("in_depth_conv", "spatial_conv", "out_depth_conv")
        )
        layers.append(Separable(enter, spatial, leave * gain, bias, dilation))
        shrinkage += dilation * (spatial.shape[-1] - 1) - 2 * padding_of(spatial.shape[-1], dilation)
        if f"{name}.{SQUEEZE}.1.weight" in weights:
            parts = [f"{name}.{SQUEEZE}.{part}" for part in ("1.weight", "1.bias", "3.weight", "3.bias")]
            layers.append(SqueezeExcite(*(weights[part] for part in parts)))
    return Core(layers, len(bias), shrinkage)


def _point_readout(weights: Mapping[str, Tensor], name: str, channels: int) -> PointPooledReadout:
    features = weights[f"{name}.features"][0, :, 0].unflatten(0, (-1, channels))
    return PointPooledReadout(weights[f"{name}.grid"][0, :, 0], features, weights[f"{name}.bias"])


def _attention_readout(weights: Mapping[str, Tensor], name: str) -> AttentionReadout:
    to_keys, to_values = weights[KV].chunk(2)
    query, features = (weights[f"{name}.{field}"][0].mT for field in ("neuron_query", "features"))
    keys = query @ to_keys * (weights[f"{name}.scale"] / weights[f"{name}.T"])
    return AttentionReadout(weights[POSITION].mT.contiguous(), keys, features @ to_values, weights[f"{name}.bias"])
