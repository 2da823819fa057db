"""What tests of whole runs share."""

from __future__ import annotations

import pytest

from mitsuba_mei.experiments import outputs as leavings


@pytest.fixture
def without_pictures(monkeypatch) -> None:
    """A run's pictures take half of a short run's time; for tests that look at none."""
    monkeypatch.setattr(leavings, "_write_pictures", lambda *arguments: None)
