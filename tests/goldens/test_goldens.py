"""Twelve short runs come to what they came to before: to the last bit on the machine that kept them, else nearly."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from tests.goldens.record import compare, fingerprint, record
from tests.goldens.runs import COMMANDS, do_runs

KEPT = json.loads((Path(__file__).parent / "goldens.json").read_text())


@pytest.fixture(scope="module")
def folders(tmp_path_factory, root) -> dict[str, Path]:
    return do_runs(tmp_path_factory.mktemp("goldens"), root)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_runs_of_all_kinds_come_to_what_they_came_to(folders):
    exact = KEPT["fingerprint"] == fingerprint()
    found = {name: compare(KEPT["runs"][name], record(path), exact) for name, path in folders.items()}
    assert list(found) == list(COMMANDS) and not any(found.values()), found


def test_a_last_bit_is_a_difference_and_so_is_a_key():
    before, name = KEPT["runs"]["path"], "result.json: activation.final.mean"
    assert compare(before, before, exact=True) == []
    bit, much, gone = (copy.deepcopy(before) for _ in range(3))
    bit[name] *= 1 + 2**-52
    much[name] *= 1.01
    del gone[name]
    assert len(compare(before, bit, exact=True)) == 1 and compare(before, bit, exact=False) == []
    for changed in (much, gone):
        assert len(compare(before, changed, exact=False)) == 1
