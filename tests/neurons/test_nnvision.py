from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.nnvision import build_nnvision
from mitsuba_mei.neurons.nnvision_layers import Encoder
from tests.neurons.checkpoints import attention_state, point_pooled_state

SIZE = (14, 14)
FORMATS = {"point pooled": point_pooled_state, "attention": attention_state}
V1, V4 = ("macaque_v1_pointpool", (93, 93), 2), ("v4_attention_format", (100, 100), None)
PARITY = 1e-4

# --- the publisher's computation, as its description has it: nothing folded, keys and values computed


def core_reference(state: dict[str, Tensor], x: Tensor, dilation: int) -> Tensor:
    layer = 0
    while f"core.features.layer{layer}.norm.weight" in state:
        own = {
            key.removeprefix(f"core.features.layer{layer}."): value
            for key, value in state.items()
            if key.startswith(f"core.features.layer{layer}.")
        }
        if layer == 0:
            x = F.conv2d(x, own["conv.weight"])
        else:
            spatial = own["ds_conv.spatial_conv.weight"]
            padding = ((spatial.shape[-1] - 1) * dilation + 1) // 2
            x = F.conv2d(x, own["ds_conv.in_depth_conv.weight"])
            x = F.conv2d(x, spatial, padding=padding, dilation=dilation, groups=len(spatial))
            x = F.conv2d(x, own["ds_conv.out_depth_conv.weight"])
        norm = [own[f"norm.{field}"] for field in ("running_mean", "running_var", "weight", "bias")]
        x = F.elu(F.batch_norm(x, *norm))
        if "seg_ex_block.se.1.weight" in own:
            gate = F.linear(x.mean((2, 3)), own["seg_ex_block.se.1.weight"], own["seg_ex_block.se.1.bias"])
            gate = F.linear(F.relu(gate), own["seg_ex_block.se.3.weight"], own["seg_ex_block.se.3.bias"])
            x = x * torch.sigmoid(gate)[:, :, None, None]
        layer += 1
    return x


def point_reference(
    state: dict[str, Tensor], image: Tensor, dilation: int = 1, session: str = "all_sessions"
) -> Tensor:
    maps = [core_reference(state, image, dilation)]
    features = state[f"readout.{session}.features"]
    while len(maps) < features.shape[1] // maps[0].shape[1]:
        maps.append(F.avg_pool2d(maps[-1], 3, 3, count_include_pad=False))
    grid = state[f"readout.{session}.grid"].clamp(-1, 1).expand(len(image), -1, -1, -1)
    sampled = torch.cat([F.grid_sample(x, grid, align_corners=True) for x in maps], dim=1)
    drive = (sampled * features.permute(0, 1, 3, 2)).sum((1, 3)) + state[f"readout.{session}.bias"]
    return F.elu(drive) + 1


def attention_reference(
    state: dict[str, Tensor], image: Tensor, dilation: int = 1, session: str = "all_sessions"
) -> Tensor:
    own = {field: state[f"readout.{session}.{field}"] for field in ("neuron_query", "features", "bias", "scale", "T")}
    x = core_reference(state, image, dilation).flatten(2) + state["readout.position_embedding.twod_pe"]
    both = torch.einsum("ec,bcs->bes", state["readout.to_kv.weight"], x)
    keys, values = both[:, : both.shape[1] // 2], both[:, both.shape[1] // 2 :]
    logits = torch.einsum("bes,en->bns", keys, own["neuron_query"][0]) * own["scale"] / own["T"]
    attended = torch.einsum("bns,bes->ben", logits.softmax(-1), values)
    return F.elu((attended * own["features"]).sum(1) + own["bias"]) + 1


REFERENCES = {point_pooled_state: point_reference, attention_state: attention_reference}


def double(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.double() if value.is_floating_point() else value for key, value in state.items()}


def noise(count: int, size: tuple[int, int], seed: int = 0) -> Tensor:
    return torch.randn(count, 1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def closeness(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).detach().abs().max())


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("squeezed", [0, 3])
@pytest.mark.parametrize("dilation", [None, 1, 2, 3])
def test_responses_are_those_of_the_description(make, squeezed, dilation):
    state, images = double(make(squeezed=squeezed)), noise(3, SIZE)
    wanted = REFERENCES[make](state, images, dilation or 1)
    assert wanted.std(0).min() > 1e-4  # the images tell
    assert closeness(build_nnvision(state, SIZE, dilation)(images), wanted) < 1e-12


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    neurons=st.integers(1, 4),
    channels=st.integers(1, 5),
    first_kernel=st.integers(1, 6),
    layers=st.integers(0, 3),
    kernel=st.integers(1, 5),
    squeezed=st.integers(0, 2),
    poolings=st.integers(0, 2),
    dilation=st.integers(1, 4),
    size=st.tuples(st.integers(15, 18), st.integers(15, 18)),
)
def test_any_architecture_of_point_pooled_models(size, dilation, **architecture):
    state, images = double(point_pooled_state(**architecture)), noise(2, size, architecture["seed"])
    wanted = point_reference(state, images, dilation)
    assert closeness(build_nnvision(state, size, dilation)(images), wanted) < 1e-11


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    neurons=st.integers(1, 4),
    channels=st.integers(1, 5),
    first_kernel=st.integers(1, 6),
    layers=st.integers(0, 3),
    kernel=st.sampled_from([1, 3, 5]),
    squeezed=st.integers(0, 2),
    embedding=st.integers(1, 4),
    dilation=st.integers(1, 4),
    size=st.tuples(st.integers(6, 12), st.integers(6, 12)),
)
def test_any_architecture_of_attention_models(size, dilation, **architecture):
    state, images = double(attention_state(**architecture, image_size=size)), noise(2, size, architecture["seed"])
    wanted = attention_reference(state, images, dilation)
    assert closeness(build_nnvision(state, size, dilation)(images), wanted) < 1e-11


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_keys_that_nothing_needs_are_optional(make):
    state = make()
    needed = {key: value for key, value in state.items() if "laplace" not in key and "tracked" not in key}
    assert len(needed) < len(state)
    images = noise(1, SIZE).float()
    assert torch.equal(build_nnvision(needed, SIZE)(images), build_nnvision(state, SIZE)(images))


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("session", ["3631896544452", "a.b", "to_kv_2"])
def test_the_session_may_have_any_name(make, session):
    images = noise(1, SIZE).float()
    named = build_nnvision(make(session=session), SIZE)
    assert torch.equal(named(images), build_nnvision(make(), SIZE)(images))


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_inference_only(make):
    state = {key: torch.nn.Parameter(value) if value.is_floating_point() else value for key, value in make().items()}
    model, images = build_nnvision(state, SIZE), noise(2, SIZE).float()
    evaluated = model.eval()(images)
    assert not evaluated.requires_grad and not list(model.parameters())
    assert torch.equal(model.train()(images), evaluated)
    assert torch.equal(model(images), evaluated)  # nothing was counted or averaged
    torch.testing.assert_close(torch.cat([model(images[:1]), model(images[1:])]), evaluated)


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_precisions(make):
    state, images = make(), noise(2, SIZE)
    wanted = REFERENCES[make](double(state), images)
    single = build_nnvision(state, SIZE)(images.float())
    half = build_nnvision({key: value.half() for key, value in state.items()}, SIZE)(images.float())
    assert single.dtype == half.dtype == torch.float32
    assert closeness(single, wanted) < 1e-5 and closeness(half, wanted) < 0.1
    widened = build_nnvision(state, SIZE).double()(images)
    assert widened.dtype == torch.float64 and closeness(widened, wanted) < 1e-5
    assert build_nnvision(double(state), SIZE)(images).dtype == torch.float64


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch has no CUDA")
@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("dilation", [1, 2])
def test_on_a_gpu(make, dilation):
    model, images = build_nnvision(make(), SIZE, dilation), noise(2, SIZE).float()
    wanted = model.select([3, 0])(images)
    moved = model.to("cuda").select([3, 0])(images.cuda().requires_grad_())
    moved.sum().backward()
    assert closeness(moved.cpu(), wanted) < PARITY


# --- the publisher's responses


def published(shared_data: Path, which: tuple) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    folder, name = shared_data / "neuron_models", which[0]
    state = torch.load(folder / f"{name}.pth.tar", weights_only=True, map_location="cpu")
    with np.load(folder / f"{name}.npz") as file:
        return state, torch.from_numpy(file["images"]), torch.from_numpy(file["responses"])


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("which", [V1, V4], ids=["V1", "V4"])
def test_published_responses(shared_data, which):
    state, images, responses = published(shared_data, which)
    model = build_nnvision(state, *which[1:])
    assert model.n_neurons == responses.shape[1]
    assert closeness(model(images), responses) <= PARITY
    assert closeness(torch.cat([model(image[None]) for image in images]), responses) <= PARITY
    order = torch.randperm(model.n_neurons, generator=torch.Generator().manual_seed(0)).tolist()
    for chosen in ([n] for n in order[:24]):
        assert closeness(model.select(chosen)(images), responses[:, chosen]) <= PARITY
    assert closeness(model.select(order)(images), responses[:, order]) <= PARITY


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("which", [V1, V4], ids=["V1", "V4"])
def test_published_weights_in_double_precision(shared_data, which):
    state, images, responses = published(shared_data, which)
    make = point_pooled_state if which is V1 else attention_state
    found = build_nnvision(double(state), *which[1:])(images[:2].double())
    assert closeness(found, REFERENCES[make](double(state), images[:2].double(), which[2] or 1)) < 1e-9
    # the publisher's float32 softmax over 8464 places is itself 1.2e-4 off
    assert closeness(found, responses[:2]) < 2e-4


@pytest.mark.shared
def test_the_published_dilation_is_not_the_default(shared_data):
    state, images, responses = published(shared_data, V1)
    assert closeness(build_nnvision(state, V1[1])(images), responses) > 1


# --- gradients


def check_gradient(model: Encoder, image: Tensor, directions: int) -> None:
    """Of a weighted sum of all responses, against central differences."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(model.n_neurons, dtype=torch.float64, generator=generator)
    image = image.double().requires_grad_()
    (gradient,) = torch.autograd.grad((model(image) @ weights).sum(), image)
    assert torch.isfinite(gradient).all() and float(gradient.norm()) > 1e-3
    for _ in range(directions):
        direction = torch.randn(image.shape, dtype=torch.float64, generator=generator)
        step = 1e-5 * direction
        with torch.no_grad():
            change = float(((model(image + step) - model(image - step)) @ weights).sum()) / 2e-5
        assert float((gradient * direction).sum()) == pytest.approx(change, rel=1e-4)


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("squeezed", [0, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("neurons", [[0, 1, 2, 3, 4], [2]])
def test_gradient_against_finite_differences(make, squeezed, dilation, neurons):
    model = build_nnvision(double(make(squeezed=squeezed)), SIZE, dilation)
    check_gradient(model.select(neurons), noise(2, SIZE), directions=6)


@pytest.mark.slow
@pytest.mark.shared
@pytest.mark.parametrize("which", [V1, V4], ids=["V1", "V4"])
def test_gradient_of_published_models(shared_data, which):
    state, images, _ = published(shared_data, which)
    check_gradient(build_nnvision(double(state), *which[1:]), images[:1], directions=4)


# --- selection


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
@settings(max_examples=30, deadline=None)
@given(neurons=st.lists(st.integers(0, 4), min_size=1, max_size=5, unique=True))
def test_selection_is_indexing(make, neurons):
    model, images = build_nnvision(double(make()), SIZE), noise(2, SIZE)
    selected = model.select(neurons)
    assert selected.n_neurons == len(neurons)
    assert closeness(selected(images), model(images)[:, neurons]) < 1e-12
    assert selected.core is model.core
    again = list(range(len(neurons)))[::-1]
    assert closeness(selected.select(again)(images), model(images)[:, neurons[::-1]]) < 1e-12


class Shapes(TorchFunctionMode):
    """Every size that a tensor has which torch returns."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: set[int] = set()

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            self.sizes.update(result.shape)
        return result


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_selection_computes_no_other_neuron(make):
    neurons = 37  # a size that nothing else has
    model, images = build_nnvision(make(neurons=neurons), SIZE), noise(1, SIZE).float()
    selected = model.select([5])
    assert all(neurons not in buffer.shape for buffer in selected.buffers())
    with Shapes() as whole:
        wanted = model(images)[:, 5]
    with Shapes() as alone:
        torch.testing.assert_close(selected(images)[:, 0], wanted)
    assert neurons in whole.sizes and neurons not in alone.sizes


@pytest.mark.parametrize("make", FORMATS.values(), ids=FORMATS)
def test_other_neurons_weights_do_not_count(make):
    state, images = make(), noise(1, SIZE).float()
    wanted = build_nnvision(state, SIZE)(images)[:, 2]
    model = build_nnvision(state, SIZE)
    for buffer in model.readout.buffers():
        if 5 in buffer.shape:
            axis = buffer.shape.index(5)
            buffer.index_fill_(axis, torch.tensor([0, 1, 3, 4]), math.nan)
    assert torch.isnan(model(images)).sum() == 4
    torch.testing.assert_close(model.select([2])(images)[:, 0], wanted)


def test_one_neuron_of_the_published_v4_size_needs_less_than_half_the_operations():
    published_size = {"channels": 96, "first_kernel": 9, "layers": 4, "kernel": 5, "embedding": 128}
    state = attention_state(neurons=1244, image_size=V4[1], **published_size)
    model, image = build_nnvision(state, V4[1]), torch.zeros(1, 1, *V4[1], requires_grad=True)
    operations = []
    for encoder in (model, model.select([7])):
        with FlopCounterMode(display=False) as counter:
            encoder(image)[0, 0].backward()
        operations.append(counter.get_total_flops())
    assert operations[1] < operations[0] / 2


@pytest.mark.parametrize(
    ("neurons", "message"),
    [([], "no neuron is named"), ([5], r"no neuron 5; allowed: 0\.\.4"), ([1, 1], "named 2 times")],
)
def test_bad_selection(neurons, message):
    with pytest.raises(UserError, match=message):
        build_nnvision(attention_state(), SIZE).select(neurons)


# --- checkpoints that cannot be read


def without(*keys: str) -> Callable[[dict], dict]:
    return lambda state: {key: value for key, value in state.items() if key not in keys}


def having(**values: object) -> Callable[[dict], dict]:
    """With other values; ``__`` stands for a dot."""
    return lambda state: state | {key.replace("__", "."): value for key, value in values.items()}


def changed(key: str, change: Callable[[Tensor], object]) -> Callable[[dict], dict]:
    return lambda state: state | {key: change(state[key])}


def poisoned(value: float) -> Callable[[Tensor], Tensor]:
    def poison(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[-1] = value
        return tensor

    return poison


LAYER1, LAYER2, READOUT = "core.features.layer1", "core.features.layer2", "readout.all_sessions"
UNKNOWN = "no checkpoint of a format that is known: .*'readout.<session>.grid' nor 'readout.to_kv.weight'; allowed: "


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"state_dict": point_pooled_state(), "epoch": 3},
        {3: torch.zeros(1)},
        without(f"{READOUT}.grid")(point_pooled_state()),
        without("readout.to_kv.weight")(attention_state()),
        {"readout.position_embedding.grid": torch.zeros(1)},
        torch.nn.Linear(2, 2),
        None,
    ],
    ids=["empty", "wrapped", "number", "no grid", "no to_kv", "no session", "module", "none"],
)
def test_unknown_formats(state):
    with pytest.raises(UserError, match=UNKNOWN):
        build_nnvision(state, SIZE)


@pytest.mark.parametrize(
    ("make", "spoil", "message"),
    [
        (
            point_pooled_state,
            without(f"{LAYER1}.norm.bias"),
            rf"the checkpoint lacks '{LAYER1}.norm.bias'$",
        ),
        (
            point_pooled_state,
            without(*(f"{LAYER1}.norm.{field}" for field in ("weight", "bias", "running_mean", "running_var"))),
            rf"lacks '{LAYER1}.norm.weight', '{LAYER1}.norm.bias', '{LAYER1}.norm.running_mean' and 1 more$",
        ),
        (
            point_pooled_state,
            having(core__extra=torch.zeros(1), a=1, b=2, c=3, d=4),
            r"the checkpoint has 'core.extra', 'a', 'b' and 2 more, which it must not$",
        ),
        (
            point_pooled_state,
            lambda state: {("b" if key == f"{READOUT}.bias" else key): value for key, value in state.items()},
            rf"lacks '{READOUT}.bias', and has 'b', which it must not$",
        ),
        (
            point_pooled_state,
            lambda state: {key.replace("layer2", "layer3"): value for key, value in state.items()},
            rf"lacks '{LAYER2}.ds_conv.in_depth_conv.weight', .* and 4 more, and has '{LAYER2[:-1]}3",
        ),
        (
            point_pooled_state,
            without(f"{LAYER2}.seg_ex_block.se.3.bias"),
            rf"lacks '{LAYER2}.seg_ex_block.se.3.bias'$",
        ),
        (
            point_pooled_state,
            having(core__features__layer0__seg_ex_block__se__1__weight=torch.zeros(2, 4)),
            r"has 'core.features.layer0.seg_ex_block.se.1.weight', which it must not$",
        ),
        (
            point_pooled_state,
            lambda state: state | point_pooled_state(session="other"),
            r"readouts of 2 sessions, all_sessions, other; allowed: one$",
        ),
        (
            lambda: {key: value for key, value in point_pooled_state().items() if "core" not in key},
            dict,
            r"lacks 'core.features.layer0.conv.weight', .* and 2 more$",
        ),
        (
            attention_state,
            lambda state: {key: value for key, value in state.items() if "all_sessions" not in key},
            rf"lacks '{READOUT}.neuron_query', '{READOUT}.features', '{READOUT}.bias' and 2 more$",
        ),
        (attention_state, without(f"{READOUT}.T"), rf"lacks '{READOUT}.T'$"),
        (
            attention_state,
            having(readout__all_sessions__grid=torch.zeros(1)),
            rf"has '{READOUT}.grid', which it must not$",
        ),
    ],
)
def test_keys_that_are_missing_or_unknown(make, spoil, message):
    with pytest.raises(UserError, match=message):
        build_nnvision(spoil(make()), SIZE)


@pytest.mark.parametrize(
    ("make", "key", "change", "message"),
    [
        (
            point_pooled_state,
            f"{LAYER1}.norm.bias",
            lambda t: t[:3],
            r"with the shape \(3,\), expected \(4,\)$",
        ),
        (
            point_pooled_state,
            f"{LAYER1}.ds_conv.in_depth_conv.weight",
            lambda t: t[:3],
            r"with the shape \(3, 4, 1, 1\), expected \(4, 4, 1, 1\)$",
        ),
        (
            point_pooled_state,
            f"{LAYER1}.ds_conv.spatial_conv.weight",
            lambda t: t[..., :2],
            r"with the shape \(4, 1, 3, 2\), expected \(4, 1, 3, 3\)$",
        ),
        (
            point_pooled_state,
            "core.features.layer0.conv.weight",
            lambda t: t.expand(-1, 3, -1, -1),
            r"with the shape \(4, 3, 5, 5\), expected \(4, 1, 5, 5\)$",
        ),
        (
            point_pooled_state,
            "core.features.layer0.conv.weight",
            torch.flatten,
            r"with the shape \(100,\), expected \(4, 1, kernel 0, kernel 0\)$",
        ),
        (
            point_pooled_state,
            f"{READOUT}.features",
            lambda t: t[:, :11],
            r"with the shape \(1, 11, 1, 5\), expected \(1, 12, 1, 5\)$",
        ),
        (
            point_pooled_state,
            f"{READOUT}.grid",
            lambda t: t[..., :1],
            r"with the shape \(1, 5, 1, 1\), expected \(1, 5, 1, 2\)$",
        ),
        (
            point_pooled_state,
            f"{READOUT}.bias",
            lambda t: t[:4],
            r"with the shape \(4,\), expected \(5,\)$",
        ),
        (
            attention_state,
            f"{READOUT}.neuron_query",
            lambda t: t[:, :5],
            r"with the shape \(1, 5, 5\), expected \(1, 6, 5\)$",
        ),
        (
            attention_state,
            "readout.to_kv.weight",
            lambda t: t[:11],
            r"with the shape \(11, 4\), expected \(12, 4\)$",
        ),
        (
            attention_state,
            "readout.to_kv.weight",
            lambda t: t[:10],
            r"with the shape \(10, 4\), expected \(12, 4\)$",
        ),
        (
            attention_state,
            "readout.position_embedding.twod_pe",
            lambda t: t.mT,
            r"with the shape \(100, 4\), expected \(4, 4\)$",
        ),
        (attention_state, f"{READOUT}.T", lambda t: t[None], r"with the shape \(1,\), expected \(\)$"),
    ],
)
def test_misshapen_keys(make, key, change, message):
    with pytest.raises(UserError, match=f"the checkpoint has '{key}' {message}"):
        build_nnvision(changed(key, change)(make()), SIZE)


def test_only_the_first_misshapen_keys_are_named():
    state = {key: value[None] if "layer1.norm" in key else value for key, value in attention_state().items()}
    message = (
        r"'.*norm.weight' with .*, '.*norm.bias' with .*, '.*norm.running_mean' with the shape \(1, 4\), expected "
    )
    with pytest.raises(UserError, match=message + r"\(4,\) and 1 more$"):
        build_nnvision(state, SIZE)


@pytest.mark.parametrize(
    ("make", "key", "change", "message"),
    [
        (point_pooled_state, f"{LAYER1}.norm.weight", poisoned(math.nan), "holds a number that is not finite"),
        (
            attention_state,
            "readout.position_embedding.twod_pe",
            poisoned(math.inf),
            "holds a number that is not finite",
        ),
        (attention_state, f"{READOUT}.bias", lambda t: 1e300 * t.double(), "holds a number that is not finite"),
        (attention_state, f"{LAYER1}.norm.running_var", poisoned(-0.1), "holds a negative number"),
        (attention_state, f"{READOUT}.T", torch.zeros_like, "is 0; a temperature must be above 0"),
        (
            point_pooled_state,
            f"{READOUT}.bias",
            lambda t: t.int(),
            "is torch.int32; it must be a dense tensor of float",
        ),
        (point_pooled_state, f"{READOUT}.bias", lambda t: t.to(torch.complex64), "is torch.complex64; it must be"),
        (point_pooled_state, f"{READOUT}.bias", lambda t: t.tolist(), "is list; it must be"),
        (point_pooled_state, f"{READOUT}.bias", lambda t: t[:0], r"has the shape \(0,\); it must not be empty"),
    ],
)
def test_values_that_cannot_be(make, key, change, message):
    with pytest.raises(UserError, match=f"the checkpoint's '{key}' {message}"):
        build_nnvision(changed(key, change)(make()), SIZE)


def test_the_first_key_that_is_not_finite_is_named():
    state = {key: value * math.nan for key, value in attention_state().items()}
    with pytest.raises(UserError, match="'core.features.layer0.conv.weight' holds a number that is not finite"):
        build_nnvision(state, SIZE)


# --- image sizes and dilation


@pytest.mark.parametrize("size", [(13, 14), (100, 100), (2, 2), (14, 28)])
def test_an_attention_model_takes_one_image_size(size):
    with pytest.raises(UserError, match=f"{size[0]} x {size[1]} pixels gives .* not the 100 .*; it must be 14 x 14$"):
        build_nnvision(attention_state(), size)


def test_an_attention_model_of_no_square_image():
    state = attention_state(image_size=(10, 13))
    assert build_nnvision(state, (10, 13))(torch.zeros(1, 1, 10, 13)).shape == (1, 5)
    with pytest.raises(UserError, match="gives 10 x 10 places, not the 54 .*; no square image does$"):
        build_nnvision(state, SIZE)


@pytest.mark.parametrize("poolings", [0, 1, 2])
def test_a_point_pooled_model_needs_room_for_its_core_and_poolings(poolings):
    state, least = point_pooled_state(poolings=poolings), 4 + 3**poolings
    assert build_nnvision(state, (least, least))(torch.zeros(1, 1, least, least)).isfinite().all()
    for size in ((least - 1, 30), (30, least - 1), (1, 1)):
        with pytest.raises(
            UserError, match=f"{size[0]} x {size[1]} pixels is too small .* at least {least} x {least}$"
        ):
            build_nnvision(state, size)


@pytest.mark.parametrize("dilation", [0, -1, 15, 1.0, True, "2"])
def test_bad_dilation(dilation):
    with pytest.raises(UserError, match=r"dilation is .*; it must be a whole number from 1 to 14$"):
        build_nnvision(point_pooled_state(), SIZE, dilation)
