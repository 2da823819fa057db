"""Random numbers for renderers: well spread within a pixel, independent between pixels and seeds."""

from __future__ import annotations

import drjit as dr
import mitsuba as mi

__all__ = ["Sampler"]

GOLDEN = 0.6180339887498949
PLASTIC = (0.7548776662466927, 0.5698402909980532)
"""Steps of Roberts' R1 and R2 sequences: the inverse powers of the golden ratio and of the plastic constant."""

MASK = 0xFFFFFFFFFFFFFFFF


class Sampler:
    """``spp`` samples for each of ``pixels`` pixels: randomly rotated R1 and R2 sequences within a pixel.

    The rotation (Cranley & Patterson 1976) is drawn anew for every pixel, dimension and seed, so that every sample by itself is uniform
    and independent of other pixels. With ``spp = 1`` all samples are independent.

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
        self._rng = mi.PCG32(initstate=dr.opaque(mi.UInt64, _mix(seed, stream)), initseq=mi.UInt64(pixel))
        self._step = mi.Float(index - pixel * spp)

    def next_1d(self) -> mi.Float:
        """Uniform in [0, 1)."""
        return self._rotate(GOLDEN)

    def next_2d(self) -> mi.Point2f:
        """Uniform in the unit square."""
        return mi.Point2f(self._rotate(PLASTIC[0]), self._rotate(PLASTIC[1]))

    def state(self) -> mi.UInt64:
        """A copy of the state, to draw the same numbers again after :meth:`restore`."""
        return mi.UInt64(self._rng.state)

    def restore(self, state: mi.UInt64) -> None:
        """Go back to an earlier :meth:`state`."""
        self._rng.state = state

    def _rotate(self, step: float) -> mi.Float:
        x = self._rng.next_float32()
        if self.spp == 1:
            return x
        x = dr.fma(self._step, step, x)
        # Rounding may leave exactly 1.
        return dr.minimum(x - dr.floor(x), dr.one_minus_epsilon(mi.Float))


def _mix(seed: int, stream: int) -> int:
    """64 bits that differ everywhere between neighbouring seeds and streams (splitmix64, Steele et al. 2014)."""
    x = (seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03 + 0x632BE59BD9B4E019) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)
