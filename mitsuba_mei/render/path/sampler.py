"""Random numbers for renderers: well spread within a pixel, independent between pixels and seeds."""

from __future__ import annotations

import drjit as dr
import mitsuba as mi

__all__ = ["Sampler"]

QUADRATIC = (5, 2, 3, 13, 7, 17, 6, 21, 33, 41, 11, 57, 19, 61, 37, 29, 23, 69, 31, 43)
"""Their square roots (half of one more, where that is an integer) have continued fractions of small terms: multiples of
them are spread evenly from the first few on (Niederreiter 1992, chapter 3).
"""

STEPS = (0.7548776662466927, 0.5698402909980532) + tuple(
    (1 + n**0.5) / 2 % 1 if n % 4 == 1 else n**0.5 % 1 for n in QUADRATIC
)
"""Steps of the sequences of successive dimensions: those of Roberts' R2 sequence for the first two, where a sample lies
in its pixel. No two are alike, so that all dimensions together fill their space evenly.
"""

MASK = 0xFFFFFFFFFFFFFFFF
WEYL = 0x9E3779B97F4A7C15


class Sampler:
    """``spp`` samples for each of ``pixels`` pixels: randomly rotated Kronecker sequences within a pixel.

    The rotation (Cranley & Patterson 1976) is drawn anew for every pixel, dimension and seed, so that every sample by
    itself is uniform and independent of other pixels. With ``spp = 1`` all samples are independent.

    Parameters
    ----------
    pixels, spp : int
        The sampler's width is their product, pixel by pixel.
    seed, stream : int
        Any pair gives independent numbers.
    """

    def __init__(self, pixels: int, spp: int, seed: int, stream: int) -> None:
        self.spp = spp
        self.width = pixels * spp
        index = dr.arange(mi.UInt32, self.width)
        pixel = index // spp
        # Hashed once more with the pixel: PCG32's sequences of one initial state begin as a lattice over the pixels, so
        # that whole images of different seeds would be far more alike, now and then, than independent ones.
        start = dr.opaque(mi.UInt64, _mix(seed * WEYL + stream * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019))
        self._rng = mi.PCG32(initstate=_mix(start + mi.UInt64(pixel) * WEYL), initseq=mi.UInt64(pixel))
        self._index = index - pixel * spp
        self._dimension = 0

    def next_1d(self) -> mi.Float:
        """Uniform in [0, 1)."""
        x = self._rng.next_uint32()
        if self.spp > 1:
            # x_i = frac(x_0 + i alpha), in 32-bit integers, which wrap by themselves.
            x += self._index * int(STEPS[self._dimension % len(STEPS)] * 2**32)
        self._dimension += 1
        return mi.Float(x >> 8) * 2**-24

    def next_2d(self) -> mi.Point2f:
        """Uniform in the unit square."""
        return mi.Point2f(self.next_1d(), self.next_1d())

    def state(self) -> tuple[mi.UInt64, int]:
        """A copy of the state, to draw the same numbers again after :meth:`restore`."""
        return mi.UInt64(self._rng.state), self._dimension

    def restore(self, state: tuple[mi.UInt64, int]) -> None:
        """Go back to an earlier :meth:`state`."""
        self._rng.state, self._dimension = mi.UInt64(state[0]), state[1]


def _mix(x: int | mi.UInt64) -> int | mi.UInt64:
    """64 bits that differ everywhere between neighbours (the finaliser of splitmix64, Steele et al. 2014)."""
    x = x & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)
