"""Gamma tables: what is read, and that levels give the luminance that is wanted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mitsuba_mei.errors import UserError
from mitsuba_mei.report.export.display import Display, read_display

LUMINANCES = arrays(np.float64, (3, 4), elements=st.floats(0, 1))


@given(LUMINANCES, st.floats(0.2, 5))
def test_an_exponent_is_inverted(luminance, exponent):
    """The level is that nearest in luminance of all 256."""
    display = read_display(str(exponent))
    levels = display.levels(luminance)
    ramp = (np.arange(256) / 255) ** exponent
    nearest = np.abs(ramp[:, None, None] - luminance).min(0)
    np.testing.assert_allclose(np.abs(ramp[levels] - luminance), nearest, atol=1e-12)
    assert levels.dtype == np.uint8


def test_without_a_table_levels_are_proportional():
    assert read_display(None).levels(np.array([0, 0.1, 0.5001, 1])).tolist() == [0, 25, 128, 255]
    assert read_display("1").levels(np.arange(256) / 255).tolist() == list(range(256))
    assert read_display(None).name.startswith("linear")


@given(arrays(np.int64, 256, elements=st.integers(0, 9)), LUMINANCES)
def test_any_table_that_does_not_fall_is_inverted(steps, luminance):
    table = np.cumsum(steps).astype(float)
    if table[-1] == table[0]:
        return
    table = (table - table[0]) / (table[-1] - table[0])
    levels = Display("table", table).levels(luminance)
    np.testing.assert_allclose(
        np.abs(table[levels] - luminance), np.abs(table[:, None, None] - luminance).min(0), atol=1e-12
    )


def written(path: Path, rows) -> str:
    path.write_text("\n".join(rows) + "\n")
    return str(path)


def test_a_table_is_read_with_and_without_names_and_levels(tmp_path):
    measured = 0.3 + 95 * (np.arange(256) / 255) ** 2.1  # candela per square metre
    plain = written(tmp_path / "plain.csv", (f"{value:.9f}" for value in measured))
    named = written(tmp_path / "named.csv", ["level, luminance", *(f"{i}, {v:.9f}" for i, v in enumerate(measured))])
    for display in (read_display(plain), read_display(named)):
        np.testing.assert_allclose(display.luminance, (np.arange(256) / 255) ** 2.1, atol=1e-9)
        wanted = np.linspace(0, 1, 11)
        shown = display.luminance[display.levels(wanted)]
        np.testing.assert_allclose(shown, wanted, atol=0.5 * np.diff(display.luminance).max())
    assert read_display(named).name == "table named.csv"


@pytest.mark.parametrize("count", [5, 9, 17, 52])
def test_a_few_measured_levels_are_enough(tmp_path, count):
    """Of a monitor of exponent 2.2 they tell all levels within 1 % of the range from five rows, 0.1 % from 17."""
    levels = np.linspace(0, 255, count).round()
    order = np.random.default_rng(0).permutation(levels)
    measured = [f"{level:g},{0.2 + 120 * (level / 255) ** 2.2:.9f}" for level in order]
    display = read_display(written(tmp_path / "photometer.csv", measured))
    truth = (np.arange(256) / 255) ** 2.2
    np.testing.assert_allclose(display.luminance, truth, atol=0.01 if count < 17 else 0.001)
    np.testing.assert_allclose(display.luminance[levels.astype(int)], truth[levels.astype(int)], atol=1e-9)
    assert (np.diff(display.luminance) >= 0).all()
    assert display.name == f"table photometer.csv, {count} levels measured"


@given(st.lists(st.integers(0, 3), min_size=4, max_size=30).filter(any))
def test_what_lies_between_measured_levels_never_overshoots_them(tmp_path_factory, steps):
    """A monitor that is flat at both ends and steep between, as many are."""
    luminance = np.concatenate([[0], np.cumsum(steps)])
    levels = np.linspace(0, 255, len(luminance)).round().astype(int)
    path = tmp_path_factory.mktemp("gamma") / "table.csv"
    display = read_display(written(path, [f"{level},{value}" for level, value in zip(levels, luminance)]))
    assert (np.diff(display.luminance) >= 0).all()
    for low, high in zip(levels, levels[1:]):
        between = display.luminance[low : high + 1]
        assert between.min() >= display.luminance[low] - 1e-12 and between.max() <= display.luminance[high] + 1e-12


def rows(**changed: str) -> list[str]:
    return [changed.get(f"row{i}", f"{i},{i**2}") for i in range(256)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (rows()[:255], "it reaches from level 0 to 254; measure levels 0 and 255 too"),
        (rows()[1:], "it reaches from level 1 to 255; measure levels 0 and 255 too"),
        (rows()[::85], "it has 4 rows; at least 5 of a level and a luminance are needed"),
        ([line.split(",")[1] for line in rows()[:255]], "it has 255 rows"),
        ([*rows(), "256,70000"], "level 256 is none of a display's, which are 0 to 255"),
        (["0,0", "64,3", "128,2", "192,5", "255,9"], "the luminance falls from level 64 to 128; it must not fall"),
        (rows(row9="9,63.9"), "the luminance falls from level 8 to 9; it must not fall"),
        (rows(row7="8,49"), "level 8 is there twice"),
        (rows(row7="7,x"), "the row of level 7 must be a level and a luminance, not '7,x'"),
        (rows(row7="7"), "the row of level 7"),
        (rows(row7="7,nan"), "the row of level 7"),
        (["1,2,3"] * 256, "the row of level 0"),
        (["5"] * 256, "all levels have the same luminance"),
        (["a"], "it has 0 rows"),
    ],
)
def test_tables_that_are_none_are_refused(tmp_path, lines, expected):
    with pytest.raises(UserError) as caught:
        read_display(written(tmp_path / "table.csv", lines))
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_other_mistakes_are_said(tmp_path):
    for gamma, expected in {
        "0.1": "the exponent must be 0.2 to 5",
        "-2.2": "the exponent must be 0.2 to 5",
        "nan": "the exponent must be 0.2 to 5",
        "missing.csv": "neither an exponent, as 2.2, nor a file that is there",
        str(tmp_path): "it cannot be read",
    }.items():
        with pytest.raises(UserError, match=expected):
            read_display(gamma)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x81" * 100)
    with pytest.raises(UserError, match="it is no text"):
        read_display(str(tmp_path / "binary.csv"))
    (tmp_path / "large.csv").write_text("1\n" * 50_000)
    with pytest.raises(UserError, match="too large"):
        read_display(str(tmp_path / "large.csv"))
