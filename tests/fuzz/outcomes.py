"""What may become of any input: it is taken, or refused in one sentence.

Every test here runs the same examples every time. For a long search with new ones, set the environment variable
``MITSUBA_MEI_FUZZ`` to how many each test should try::

    MITSUBA_MEI_FUZZ=20000 python -m pytest tests/fuzz
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings

from mitsuba_mei.errors import LONGEST, UserError

__all__ = ["examples", "outcome"]

SLOWEST = timedelta(seconds=20)
"""Of one example; nothing of this size takes a second on an idle machine."""

JARGON = re.compile(r"Traceback|errors\.pydantic\.dev|Input should|object at 0x|<class '|\[type=")


def examples(number: int) -> settings:
    """So many examples, always the same ones; or as many new ones as ``MITSUBA_MEI_FUZZ`` says."""
    more = int(os.environ.get("MITSUBA_MEI_FUZZ", 0))
    return settings(
        max_examples=more or number,
        derandomize=not more,
        database=None,
        deadline=SLOWEST,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def outcome(call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a call returns, or None where it refuses its arguments in one sentence; anything else fails."""
    try:
        return call(*arguments, **options)
    except UserError as error:
        sentence = str(error)
    assert sentence.strip() and sentence.isprintable(), repr(sentence)
    assert len(sentence) <= LONGEST, f"{len(sentence)} letters: {sentence}"
    assert " " in sentence and not JARGON.search(sentence), sentence
    return None
