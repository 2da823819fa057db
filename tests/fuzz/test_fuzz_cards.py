"""Damaged model cards describe a model, or are refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.neurons.cards import load_card
from tests.fuzz.outcomes import examples, outcome
from tests.fuzz.yaml_mutations import mutations

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CARDS = tuple(path.read_text() for path in sorted((ROOT / "models").glob("*.yaml")))
OWN = (ROOT / "scenes" / "own_model" / "card.yaml").read_text()


@given(st.one_of(mutations(CARDS), mutations([OWN])), st.booleans())
@examples(250)
def test_a_card(folder, content, trust_code):
    path = folder / "scenes" / "own_model" / "changed.yaml"
    path.write_bytes(content)
    outcome(load_card, path, trust_code=trust_code)
