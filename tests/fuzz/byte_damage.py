"""Damaged files of bytes: what becomes of a valid one when it is cut off, or some of it is changed."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["damaged"]

HUGE = (
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x00\x28\x6b\xee",
    b"\x00\x00\x00\x80",
    b"\x00\x00\xc0\x7f",
    b"4000000000",
)
"""What counts and coordinates may be overwritten with; the last two are NaN, and a number in words."""


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """A file near this one, or anything at all."""
    if draw(st.integers(0, 30)) == 0:
        return draw(st.binary(max_size=200))
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        near = draw(st.booleans())  # headers are at the beginning, and in some formats at the end
        place = draw(st.integers(0, max(0, min(len(changed), 400 if near else 2**62) - 1)))
        place = len(changed) - 1 - place if draw(st.integers(0, 4)) == 0 else place
        what = draw(st.sampled_from(["flip", "flip", "huge", "cut", "leave out", "double", "digits"]))
        if what == "flip" and changed:
            changed[place] ^= 1 << draw(st.integers(0, 7))
        elif what == "huge":
            patch = draw(st.sampled_from(HUGE))
            changed[place : place + len(patch)] = patch
        elif what == "cut":
            del changed[place:]
        elif what == "leave out":
            del changed[place : place + draw(st.integers(1, 20))]
        elif what == "double":
            changed[place:place] = changed[place : place + draw(st.integers(1, 50))]
        else:
            changed[place:place] = draw(
                st.sampled_from([b"9", b"-1", b"nan ", b"1e400 ", b"0", b"99999999999", b"\n", b"\0"])
            )
    return bytes(changed)
