from __future__ import annotations

import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons import nnvision
from mitsuba_mei.neurons.cards import load_card
from mitsuba_mei.neurons.nnvision import build_nnvision
from mitsuba_mei.neurons.simulated import SimpleCell
from mitsuba_mei.stimulus import Stimulus
from tests.neurons import checkpoints

MODELS = Path(__file__).parents[2] / "models"
INPUT = "input: {size: 16, mean: 120, std: 60}\n"
SIMPLE = "type: simple_cell\nparameters: {frequency: 2, orientation: 45}\n" + INPUT
MODULE = """
import torch
from torch import nn

class Pixels(nn.Module):
    def __init__(self, count=3):
        super().__init__()
        self.count = count
        self.gain = nn.Parameter(torch.ones(count, dtype=torch.float64))
        self.drop = nn.Dropout(0.5)

    def forward(self, image):
        return self.drop(image.flatten(1)[:, : self.count] * self.gain)

class Selective(Pixels):
    computed = None

    def select(self, neurons):
        chosen = Selective(self.count)
        chosen.gain.data, chosen.neurons, chosen.computed = self.gain[neurons], neurons, len(neurons)
        return chosen

    def forward(self, image):
        if self.computed is None:
            return super().forward(image)
        return self.drop(image.flatten(1)[:, self.neurons] * self.gain)

class Wrong(Pixels):
    def select(self, neurons):
        return Selective(self.count).select(sorted(neurons))

class Breaking(Pixels):
    def select(self, neurons):
        raise KeyError(neurons)

class Named(Pixels):
    select = "mean"

class Unbatched(Pixels):
    def forward(self, image):
        return super().forward(image)[0]

class Dict(Pixels):
    def forward(self, image):
        return {"responses": super().forward(image)}

class Infinite(Pixels):
    def forward(self, image):
        return 1 / super().forward(image)

class Detached(Pixels):
    def forward(self, image):
        return super().forward(image).detach()

class Failing(Pixels):
    def forward(self, image):
        raise RuntimeError("shapes cannot be multiplied\\nmore lines")

def nothing():
    return None

def broken():
    raise KeyError("weights")

instance = Pixels()
MODULES = 3
"""


@pytest.fixture
def write(tmp_path):
    (tmp_path / "mine.py").write_text(MODULE)

    def card(text: str, name: str = "card.yaml") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return card


def own(callable_: str, arguments: str = "{}", source: str = "mine.py") -> str:
    return f"module: {source}:{callable_}\narguments: {arguments}\n" + INPUT


# --- the cards that come with the package


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_cards(path, published_weights):
    model = load_card(path)
    assert model.name and model.description and model.citation and model.licence
    responses = model(torch.randn(1, model.channels, *model.image_size))
    assert responses.shape == (1, model.n_neurons) and responses.dtype == torch.float32
    assert torch.isfinite(responses).all()
    assert not any(p.requires_grad for p in model.module.parameters())
    assert not model.module.training


def test_bank_is_three_frequencies_by_four_orientations():
    model = load_card(MODELS / "simple_cell_bank.yaml")
    assert model.n_neurons == 12
    spectra = torch.fft.rfft2(model.module.filters[:, 0]).abs().flatten(1)
    peaks = [divmod(int(i), 51) for i in spectra.argmax(1)]
    radius = [math.hypot(min(row, 100 - row), column) / 2 for row, column in peaks]
    assert radius == pytest.approx([1] * 4 + [2] * 4 + [3.5] * 4, abs=0.5)


@pytest.mark.parametrize(
    ("stem", "members", "neurons", "size"),
    [
        ("macaque_v1_pointpool", ["v1_sota_cnn"], 458, 93),
        ("macaque_v1_pointpool_1-5", ["v1_sota_cnn", *(f"model_{i}" for i in range(2, 6))], 458, 93),
        ("macaque_v1_pointpool_6-10", [f"model_{i}" for i in range(6, 11)], 458, 93),
        ("macaque_v4_attention", ["v4_multihead_attention_SOTA"], 1244, 100),
        ("macaque_v4_attention_1-5", ["v4_multihead_attention_SOTA", *(f"model_{i}" for i in range(2, 6))], 1244, 100),
        ("macaque_v4_attention_6-10", [f"model_{i}" for i in range(6, 11)], 1244, 100),
    ],
)
def test_published_cards_name_their_members(stem, members, neurons, size, published_weights):
    model = load_card(MODELS / f"{stem}.yaml")
    assert len(published_weights) == len(set(published_weights)) == len(members)
    assert all(f"{member}.pth.tar" in source for member, source in zip(members, published_weights))
    assert model.n_neurons == neurons and model.image_size == (size, size)
    assert (model.mean, model.std, model.sensible) == (124.54466, 70.28, ((0, neurons - 1),))


@pytest.mark.shared
def test_the_v1_card_and_the_publishers_file_are_what_they_were(shared_data, monkeypatch):
    """The card's hash is that of the real file, its dilation gives the reference responses."""
    real = shared_data / "neuron_models/macaque_v1_pointpool.pth.tar"
    expected = []

    def at_hand(source, folder, where, told):
        expected.append(source.sha256)
        return real

    monkeypatch.setattr(nnvision, "obtain", at_hand)
    model = load_card(MODELS / "macaque_v1_pointpool.yaml")
    assert expected == [hashlib.sha256(real.read_bytes()).hexdigest()]
    reference = np.load(shared_data / "neuron_models/macaque_v1_pointpool.npz")
    images, responses = torch.from_numpy(reference["images"]), torch.from_numpy(reference["responses"])
    with torch.no_grad():
        assert (model(images) - responses).abs().max() <= 1e-4
        some = model.select([457, 3, 101])(images)
    assert (some - responses[:, [457, 3, 101]]).abs().max() <= 1e-4


PUBLISHED = """
type: nnvision
weights: {weights}
parameters: {{dilation: 2}}
neurons: [0-2, 4]
input: {{size: 16, mean: 120, std: 60}}
"""


@pytest.fixture
def published(write, tmp_path):
    """A card of small checkpoints, one a seed."""

    def made(*seeds, **sizes):
        names = []
        for seed in seeds:
            torch.save(checkpoints.point_pooled_state(seed, **sizes), tmp_path / f"{seed}.pth")
            names.append(f"{seed}.pth")
        return load_card(write(PUBLISHED.format(weights=names[0] if len(names) == 1 else names)))

    return made


def test_weights_beside_the_card(published):
    model = published(1)
    image = torch.randn(3, 1, 16, 16)
    own = build_nnvision(checkpoints.point_pooled_state(1), (16, 16), 2)
    torch.testing.assert_close(model(image), own(image))


def test_several_files_are_an_ensemble(published):
    image = torch.randn(2, 1, 16, 16)
    members = [published(seed)(image) for seed in (1, 2, 3)]
    torch.testing.assert_close(published(1, 2, 3)(image), torch.stack(members).mean(0))


@pytest.mark.parametrize("kind", ["published", "ensemble", "own", "own with select"])
def test_neurons_are_selected_in_their_order(published, write, kind):
    if kind.startswith("own"):
        model = load_card(write(own("Pixels" if kind == "own" else "Selective", "{count: 5}")), trust_code=True)
    else:
        model = published(*((1,) if kind == "published" else (1, 2)))
    image = torch.randn(2, 1, 16, 16)
    torch.testing.assert_close(model.select([4, 0, 2])(image), model(image)[:, [4, 0, 2]])
    assert not model.select([1]).training and not any(p.requires_grad for p in model.select([1]).parameters())
    if kind == "own with select":
        assert model.select([4, 0]).module.computed == 2


@pytest.mark.parametrize(("kind", "message"), [("Wrong", "answers otherwise"), ("Breaking", "fails: KeyError")])
def test_a_select_that_is_wrong_is_not_believed(write, kind, message):
    model = load_card(write(own(kind, "{count: 5}")), trust_code=True)
    with pytest.raises(UserError, match=rf"model 'card': its select\(\[3, 1\]\) .*{message}"):
        model.select([3, 1])


def test_a_select_that_is_no_method_is_let_be(write):
    model = load_card(write(own("Named", "{count: 5}")), trust_code=True)
    image = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(model.select([3, 1])(image), model(image)[:, [3, 1]])


def test_downloads_are_told_of(write, monkeypatch, tmp_path):
    torch.save(checkpoints.point_pooled_state(), tmp_path / "1.pth")

    def obtain(source, folder, where, told):
        told(f"downloading {source.location}")
        return tmp_path / "1.pth"

    monkeypatch.setattr(nnvision, "obtain", obtain)
    said = []
    load_card(write(PUBLISHED.format(weights="hf://a/b/c.pth")), on_message=said.append)
    assert said == ["downloading hf://a/b/c.pth"]


def test_a_card_says_which_neurons_make_sense(published, write):
    model = published(1)
    assert model.check_neurons([4, 1]) == [4, 1]
    with pytest.raises(UserError, match=r"model 'card': neuron 3 is not among those .* make sense: 0-2, 4"):
        model.check_neurons([0, 3])
    with pytest.raises(UserError, match=r"no neuron 5; allowed: 0\.\.4"):
        model.check_neurons([5])
    with pytest.raises(UserError, match=r"card.yaml:5: neurons names 7, but the model has 0\.\.4"):
        load_card(write(PUBLISHED.format(weights="1.pth").replace("[0-2, 4]", "[0-7]")))


@pytest.mark.parametrize(
    ("neurons", "message"),
    [("[3-1]", "'3-1' is neither an index nor a range"), ("[a]", "'a' is neither"), ("[-1]", "'-1'"), ("[]", "empty")],
)
def test_a_range_of_neurons_that_is_none(write, neurons, message):
    with pytest.raises(UserError, match=rf"card.yaml:5: neurons.*{message}"):
        load_card(write(PUBLISHED.format(weights="1.pth").replace("[0-2, 4]", neurons)))


def test_members_must_be_of_the_same_neurons(published, write, tmp_path):
    published(1)
    torch.save(checkpoints.point_pooled_state(2, neurons=6), tmp_path / "2.pth")
    with pytest.raises(UserError, match="card.yaml:3: .*neurons"):
        load_card(write(PUBLISHED.format(weights="[1.pth, 2.pth]")))


def test_v4_has_at_least_16_units():
    assert load_card(MODELS / "v4_curvature.yaml").n_neurons == 32


# --- what a card says


def test_parameters_reach_the_model(write):
    model = load_card(write(SIMPLE))
    assert isinstance(model.module, SimpleCell)
    assert (model.image_size, model.channels, model.mean, model.std) == ((16, 16), 1, 120, 60)
    assert model.name == "card"
    torch.testing.assert_close(model.module.filters, SimpleCell((16, 16), 2.0, 45.0).filters)


def test_lists_make_a_bank_on_an_oblong_image(write):
    text = "type: complex_cell\nparameters: {frequency: 2, orientation: [0, 90], center: [[0, 0], [0.5, 0]]}\n"
    model = load_card(write(text + "input: {size: [12, 20], mean: 120, std: 60}"))
    assert model.image_size == (12, 20) and model.n_neurons == 2


def test_optimum_is_asked_of_the_module(write):
    stimulus = Stimulus((16, 16), 1, 120, 60, norm=7)
    assert load_card(write(SIMPLE)).optimum([0], stimulus) == pytest.approx(7, rel=1e-4)
    assert load_card(write(own("Pixels")), trust_code=True).optimum([0], stimulus) is None


def test_a_mapping_is_a_card_too(write):
    folder = write(SIMPLE).parent
    card = {"module": "mine.py:Pixels", "arguments": {"count": 2}, "input": {"size": 4, "mean": 124.0, "std": 70.0}}
    assert load_card(card, folder, trust_code=True).n_neurons == 2
    with pytest.raises(UserError, match="input.std: is required"):
        load_card({"type": "v4_curvature", "input": {"mean": 1.0}})


def test_neurons_are_checked(write):
    model = load_card(write(own("Pixels")), trust_code=True)
    assert model.check_neurons([2, 0]) == [2, 0]
    mistakes = [([3], r"no neuron 3; allowed: 0\.\.2"), ([-1], "no neuron -1"), ([], "at least"), ([0, 0], "2 times")]
    for wrong, message in mistakes:
        with pytest.raises(UserError, match="model 'card': .*" + message):
            model.check_neurons(wrong)


# --- the user's own module


def test_own_module_from_a_file_beside_the_card(write):
    before = list(sys.path)
    model = load_card(write(own("Pixels", "{count: 5}")), trust_code=True)
    assert model.n_neurons == 5
    assert sys.path == before
    assert model.module.gain.dtype == torch.float32 and not model.module.gain.requires_grad
    ones = torch.ones(1, 1, 16, 16)
    torch.testing.assert_close(model(ones), torch.ones(1, 5))  # dropout is off


def test_own_module_by_name(write):
    card = write(own("Pixels", source="named_model_of_test_cards"))
    (card.parent / "named_model_of_test_cards.py").write_text(MODULE)
    before = list(sys.path)
    assert load_card(card, trust_code=True).n_neurons == 3
    assert sys.path == before


def test_installed_module_by_name(write):
    text = "module: torch.nn:Flatten\n" + INPUT
    assert load_card(write(text), trust_code=True).n_neurons == 256


def test_own_module_may_import_its_neighbours(write):
    card = write(own("Mine", source="importing.py"))
    (card.parent / "neighbour_of_test_cards.py").write_text(MODULE)
    (card.parent / "importing.py").write_text("from neighbour_of_test_cards import Pixels as Mine\n")
    assert load_card(card, trust_code=True).n_neurons == 3


def test_three_channels(write):
    text = "module: mine.py:Pixels\ninput: {size: 4, channels: 3, mean: [120, 110, 100], std: 58}"
    model = load_card(write(text), trust_code=True)
    assert model.channels == 3 and model.mean == (120, 110, 100)


# --- bad input: each one sentence, with the place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is a mapping"),
        ("- 1", "is a mapping"),
        (INPUT, "needs a type"),
        ("type: simpel_cell\n" + INPUT, r"card.yaml:1: type: unknown type 'simpel_cell'; did you mean 'simple_cell'"),
        ("type: [1]\n" + INPUT, "unknown type"),
        ("type: simple_cell\nparameters: 3\n" + INPUT, "parameters: must be a mapping"),
        ("citatoin: x\n" + SIMPLE, r"card.yaml:1: citatoin: unknown key; did you mean 'citation'"),
        ("type: simple_cell\nparameters:\n  freqency: 2\n" + INPUT, r":3: .*did you mean 'frequency'"),
        ("type: simple_cell\nparameters: {frequency: fast, orientation: 0}\n" + INPUT, "must be a number, not 'fast'"),
        ("type: simple_cell\nparameters: {frequency: 90, orientation: 0}\n" + INPUT, r":2: parameters: frequency is"),
        ("type: simple_cell\nparameters: {frequency: 1, orientation: []}\n" + INPUT, "must not be empty"),
        ("type: v4_curvature\ninput: {size: 100, std: 70}", "input.mean: is required"),
        ("type: v4_curvature\ninput: {size: 100, mean: 124}", "input.std: is required"),
        ("type: v4_curvature\ninput: {size: 100, mean: 124, std: 0}", "input.std: must be above 0"),
        ("type: v4_curvature\ninput: {size: 100, mean: 300, std: 70}", "input.mean: must be at most 255"),
        ("type: v4_curvature\ninput: {size: 0, mean: 124, std: 70}", "input.size: must be at least 1"),
        ("type: v4_curvature\ninput: {size: 16, mean: 124, std: 70}", "too small"),
        ("type: v4_curvature\ninput: {channels: 3, mean: 124, std: 70}", "channels must be 1"),
        ("type: v4_curvature\ninput: {channels: 2, mean: 124, std: 70}", "input.channels"),
        ("type: v4_curvature\ninput: {mean: [1, 2, 3], std: 70}", "three numbers for one channel"),
        (own("Pixel"), r"card.yaml:1: 'mine.py' has no callable 'Pixel'; did you mean 'Pixels'"),
        (own("instance", "{count: 2}"), "mine.py:instance is a module already and takes no arguments"),
        (own("MODULES"), "mine.py:MODULES is int; it must be a torch.nn.Module, or a callable that returns one"),
        (own("instanse"), "has no callable 'instanse'; did you mean 'instance'"),
        (own("Pixels", source="mime.py"), r"there is no file .*mime.py'; did you mean 'mine.py'"),
        (own("Pixels", source="mime"), r"'mime' cannot be imported: .*did you mean 'mine'"),
        (own("Pixels", source="torch.nonsense"), "cannot be imported"),
        ("module: mine.py\n" + INPUT, "write file.py:callable"),
        (own("Pixels", "{cuont: 2}"), r"arguments do not fit .*did you mean 'count'"),
        (own("nothing"), "returns NoneType; it must return a torch.nn.Module"),
        (own("broken"), "mine.py:broken fails: KeyError: 'weights'"),
        (own("Unbatched"), r"returns a tensor \(3,\) for images \(2, 1, 16, 16\); it must be \(2, number of neurons\)"),
        (own("Dict"), "returns dict; it must return a tensor"),
        (own("Infinite"), "not finite"),
        (own("Detached"), "carry no gradient"),
        (own("Failing"), "fails on an image .*RuntimeError: shapes cannot be multiplied$"),
        ("module: mine.py:Pixels\narguments: {count: 0}\n" + INPUT, r"returns a tensor \(2, 0\)"),
    ],
)
def test_bad_cards(write, text, message):
    before = list(sys.path)
    with pytest.raises(UserError, match=message) as caught:
        load_card(write(text), trust_code=True)
    assert "card.yaml" in str(caught.value) and "\n" not in str(caught.value)
    assert sys.path == before


def test_a_module_that_breaks_on_import(write):
    card = write(own("Pixels", source="unfinished.py"))
    (card.parent / "unfinished.py").write_text("import no_such_package_anywhere\n")
    with pytest.raises(UserError, match=r"unfinished.py' cannot be imported: ModuleNotFoundError: .*no_such_package"):
        load_card(card, trust_code=True)
    (card.parent / "misspelt.py").write_text("def build(:\n")
    with pytest.raises(UserError, match="misspelt.py' cannot be imported: SyntaxError"):
        load_card(write(own("build", source="misspelt.py")), trust_code=True)


def test_missing_card_names_the_nearest():
    with pytest.raises(UserError, match=r"no file .*v4_curvatur.yaml'; did you mean 'v4_curvature.yaml'"):
        load_card(MODELS / "v4_curvatur.yaml")


def test_a_binary_card(tmp_path):
    (tmp_path / "card.yaml").write_bytes(bytes(range(256)))
    with pytest.raises(UserError, match="not a text file"):
        load_card(tmp_path / "card.yaml")
