"""Names that this package had before and that nobody in the field would search for: none comes back."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "mitsuba_mei"

OLD = frozenset(
    """Experiment Viewer Look Likeness Goal Drive set_back LASTING SETBACKS Aspects ENOUGH _Finder Watch parameters_of
    SceneValues portrait freeing rendered_by Laid _settled NOBODY Played optimise_and_leave write_course Gathered
    take_up leave_out_neuron Labelled Attentive _Asked Asked Contest Contested Judge Optimised AFRESH World Remembered
    check_room turning in_file_units freeze_but declare Answering Interrupted Hopeless Said Solid Away Apart Over
    HALF_TURNING Shown Conductor Standing look_around DeafToInterrupts telling keeping DRIVES check_drives LARGEST
    DENSEST WIDEST RESTART FAINT BLURRED AT_ONCE LAST_STEP Descent KeptDescent told wanted laid_out contested played
    summarise _caution _usual""".split()
)
"""Of classes, functions and constants; ordinary words that still mean what they say are not among them."""

PATTERNS = (r"_?(MOST|LEAST)(_|$)", r".*optimis")


def old_names(package: Path = PACKAGE) -> list[str]:
    """Where such a name stands, as an identifier."""
    found = []
    for path in sorted(package.rglob("*.py")):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            old = token.string in OLD or any(re.match(pattern, token.string) for pattern in PATTERNS)
            if token.type == tokenize.NAME and old:
                found.append(f"{path.relative_to(package)}:{token.start[0]} {token.string}")
    return found


KEPT: set[str] = set()


def test_no_old_name_is_left():
    assert [name for name in old_names() if re.sub(r":\d+", "", name) not in KEPT] == []


@pytest.mark.parametrize("line", ["class Contest: ...", "MOST_ROWS = 3", "def optimise(): ...", "NOBODY = 0"])
def test_an_old_name_is_found(tmp_path, line):
    (tmp_path / "module.py").write_text(line + "\n")
    assert len(old_names(tmp_path)) == 1
