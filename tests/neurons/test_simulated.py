from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mitsuba_mei.errors import UserError
from mitsuba_mei.neurons.simulated import ComplexCell, SimpleCell, gabor
from mitsuba_mei.stimulus import Stimulus, image_coordinates

SIZE = (32, 32)
CELL = {"frequency": 2.0, "orientation": 30.0, "sigma": 0.3}
CONSTRAINTS = [
    {"norm": 25},
    {"contrast": 0.2, "display_mean": 0.3},
    {"norm": 25, "mask": {"sigma": 0.4}},
    {"norm": 25, "mask": {"sigma": 0.04}},
]


def stimulus(**constraint) -> Stimulus:
    return Stimulus(SIZE, 1, 124.54, 70.28, **constraint)


def noise(seed: int, count: int = 1) -> torch.Tensor:
    return torch.rand(count, *SIZE, 1, generator=torch.Generator().manual_seed(seed))


def ascend(neuron, show: Stimulus, index: list[int], image: torch.Tensor, steps: int = 60) -> float:
    """The mean response after gradient ascent on the pixels under the constraint."""
    image = image.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        (-neuron(show(image))[0, index].mean()).backward()
        optimizer.step()
    return neuron(show(image))[0, index].mean().item()


# --- Gabors: the conventions


def test_filters_sum_to_zero_and_have_unit_norm():
    filters = gabor(SIZE, frequency=[1, 2, 3.5], orientation=[0, 45, 90], phase=[0, 30, 90]).double()
    torch.testing.assert_close(filters.sum((1, 2)), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-5)
    torch.testing.assert_close(filters.square().sum((1, 2)), torch.ones(3, dtype=torch.float64), rtol=1e-5, atol=0)


def test_orientation_0_is_horizontal_bars_and_90_vertical():
    horizontal, vertical = gabor(SIZE, frequency=3, orientation=[0, 90], sigma=100)
    assert float(horizontal.std(1).max()) < 1e-4 < float(horizontal.std(0).min())
    assert float(vertical.std(0).max()) < 1e-4 < float(vertical.std(1).min())


def test_orientation_45_rises_to_the_right():
    x, y = image_coordinates(SIZE)
    filters = gabor(SIZE, frequency=1, orientation=45, sigma=0.3)[0]
    on_the_rising_diagonal, on_the_falling_one = (x - y).abs() < 1e-6, (x + y).abs() < 1e-6
    assert float(filters[on_the_rising_diagonal].mean()) > 5 * abs(float(filters[on_the_falling_one].mean()))


def test_phase_0_is_even_and_bright_and_90_odd_and_bright_above():
    even, odd, dark = gabor(SIZE, frequency=2, orientation=0, phase=[0, 90, 180])
    torch.testing.assert_close(even, even.flip(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(odd, -odd.flip(0), rtol=0, atol=1e-6)
    torch.testing.assert_close(dark, -even, rtol=0, atol=1e-6)
    assert float(even[16, 16]) > 0 and float(odd[14, 16]) > 0


def test_phase_90_of_vertical_bars_is_bright_on_the_left():
    assert float(gabor(SIZE, frequency=2, orientation=90, phase=90)[0, 16, 14]) > 0


def test_frequency_is_in_cycles_per_half_width():
    row = gabor((40, 40), frequency=5, orientation=90, sigma=100)[0, 20]
    assert int(torch.fft.rfft(row).abs().argmax()) == 10


def test_centre_moves_the_filter():
    x, y = image_coordinates(SIZE)
    energy = gabor(SIZE, **CELL, center=[0.25, -0.5])[0].square()
    assert float((energy * x).sum()) == pytest.approx(0.25, abs=0.02)
    assert float((energy * y).sum()) == pytest.approx(-0.5, abs=0.05)


# --- cells


def test_simple_cell_is_a_rectified_projection():
    cells = SimpleCell(SIZE, frequency=2, orientation=30, phase=[0, 180])
    z = noise(0).permute(0, 3, 1, 2)
    drive = float((cells.filters[0, 0] * z[0, 0]).sum())
    torch.testing.assert_close(cells(z), torch.tensor([[max(drive, 0), max(-drive, 0)]]), rtol=1e-4, atol=1e-5)


def test_complex_cell_is_blind_to_phase():
    cell = ComplexCell(SIZE, **CELL)
    gratings = gabor(SIZE, **CELL, phase=[0, 20, 45, 90, 137, 180])[:, None]
    responses = cell(gratings)[:, 0]
    torch.testing.assert_close(responses, torch.ones(6), rtol=1e-4, atol=0)


@pytest.mark.parametrize("kind", [SimpleCell, ComplexCell])
def test_gradient_against_finite_differences(kind):
    cells = kind((6, 6), frequency=[0.5, 1.0], orientation=[0, 30], sigma=0.5).double()
    z = 5 * cells.filters.sum((0, 1)).double()[None, None] + 0.1
    assert (cells(z) > 0.1).all()
    assert torch.autograd.gradcheck(cells, z.requires_grad_())


def test_gradient_of_a_silent_cell_is_that_of_its_drive():
    cell = SimpleCell(SIZE, **CELL)
    z = (-cell.filters[0]).clone()[None].requires_grad_()
    response = cell(z)
    assert response.item() == 0
    response.sum().backward()
    torch.testing.assert_close(z.grad[0], cell.filters[0])


def test_a_silent_cell_beside_an_active_one_has_no_gradient():
    cells = SimpleCell(SIZE, **CELL, phase=[0, 180])
    z = cells.filters[0].clone()[None].requires_grad_()
    cells(z).mean().backward()
    torch.testing.assert_close(z.grad[0], cells.filters[0] / 2)


# --- optima


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("kind", [SimpleCell, ComplexCell])
def test_preferred_image_attains_the_optimum(kind, constraint):
    show, cells = stimulus(**constraint), kind(SIZE, frequency=[1, 3.5], orientation=[0, 45], sigma=0.3)
    for neuron in (0, 1):
        best = cells.preferred(neuron, show)
        assert float(cells(best)[0, neuron]) == pytest.approx(cells.optimum([neuron], show), rel=1e-4)
        assert float(torch.linalg.vector_norm(best - show.background)) == pytest.approx(show.radius, rel=1e-5)


def test_optimum_under_a_fixed_norm_is_the_norm():
    for kind in (SimpleCell, ComplexCell):
        assert kind(SIZE, **CELL).optimum([0], stimulus(norm=25)) == pytest.approx(25, rel=1e-5)


def test_a_narrow_mask_lowers_the_optimum():
    optimum = SimpleCell(SIZE, **CELL).optimum([0], stimulus(norm=25, mask={"sigma": 0.04}))
    assert 15 < optimum < 24.9


def test_preferred_image_is_one_that_a_render_can_show():
    show, cell = stimulus(norm=25, mask={"sigma": 0.4}), SimpleCell(SIZE, **CELL)
    best = cell.preferred(0, show)
    luminance = best[0, 0].double() / show.mask.double()
    shown = show.double()(luminance[..., None] - luminance.min())
    torch.testing.assert_close(shown, best.double(), rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    kind=st.sampled_from([SimpleCell, ComplexCell]),
    constraint=st.sampled_from(CONSTRAINTS),
    frequency=st.floats(0.5, 6),
    orientation=st.floats(-360, 360),
    mix=st.floats(0, 1),
)
def test_no_image_exceeds_the_optimum(seed, kind, constraint, frequency, orientation, mix):
    show, cell = stimulus(**constraint), kind(SIZE, frequency, orientation)
    image = mix * noise(seed)[0] + (1 - mix) * cell.preferred(0, show)[0].permute(1, 2, 0)
    assert cell(show(image)).item() <= cell.optimum([0], show) * (1 + 1e-5)


@pytest.mark.parametrize("constraint", CONSTRAINTS[:3])
@pytest.mark.parametrize("kind", [SimpleCell, ComplexCell])
def test_gradient_ascent_reaches_the_optimum_and_no_more(kind, constraint):
    show, cell = stimulus(**constraint), kind(SIZE, **CELL)
    reached = max(ascend(cell, show, [0], noise(seed)[0], steps=100) for seed in (0, 1))
    assert 0.9 * cell.optimum([0], show) < reached <= cell.optimum([0], show) * (1 + 1e-5)


def test_gradient_ascent_leaves_silence():
    show, cell = stimulus(norm=25), SimpleCell(SIZE, **CELL)
    start = -cell.preferred(0, show)[0].permute(1, 2, 0) + 0.5 * noise(0)[0]
    assert float(cell(show(start))) == 0
    assert ascend(cell, show, [0], start, steps=100) > 0.8 * cell.optimum([0], show)


def test_mean_of_opposite_phases_is_half_of_one():
    cells = SimpleCell(SIZE, **CELL, phase=[0, 180])
    assert cells.optimum([0, 1], stimulus(norm=25)) == pytest.approx(12.5, rel=1e-5)


def test_mean_of_orthogonal_cells():
    cells = SimpleCell(SIZE, **CELL, phase=[0, 90])
    assert cells.optimum([0, 1], stimulus(norm=25)) == pytest.approx(25 / math.sqrt(2), rel=1e-3)
    assert cells.optimum([0, 1], stimulus(norm=25), weights=[3, 4]) == pytest.approx(25 * 5 / 7, rel=1e-3)


@pytest.mark.parametrize("phases", [[0, 60, 120, 180, 240], [0, 90, 180]])
def test_optimum_of_a_mean_is_reached_by_ascent_and_never_exceeded(phases):
    show, cells = stimulus(norm=25), SimpleCell(SIZE, **CELL, phase=phases)
    index = list(range(len(phases)))
    reached = max(ascend(cells, show, index, noise(seed)[0]) for seed in range(4))
    assert 0.9 * cells.optimum(index, show) < reached <= cells.optimum(index, show) * (1 + 1e-5)


def test_no_closed_form():
    many = SimpleCell(SIZE, frequency=2, orientation=list(range(17)))
    assert many.optimum(list(range(17)), stimulus(norm=25)) is None
    assert ComplexCell(SIZE, frequency=2, orientation=[0, 90]).optimum([0, 1], stimulus(norm=25)) is None
    for kind in (SimpleCell, ComplexCell):
        assert kind(SIZE, **CELL).optimum([0], stimulus(clip=True)) is None
        assert kind(SIZE, **CELL).preferred(0, stimulus(clip=True)) is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frequency": 0}, "frequency is"),
        ({"frequency": 8}, "between 0 and 8 cycles"),
        ({"frequency": [1, 2, 3], "orientation": [0, 1]}, "unlike lengths"),
        ({"frequency": []}, "unlike lengths"),
        ({"sigma": 0}, "sigma is"),
        ({"orientation": float("nan")}, "finite"),
        ({"center": [1, 2, 3]}, "center is"),
        ({"center": [9, 9]}, "does not touch"),
    ],
)
def test_bad_input(wrong, message):
    with pytest.raises(UserError, match=message):
        SimpleCell(SIZE, **(CELL | wrong))
