"""Formats of picture files, one module each: the size that a file announces, and its pixels as linear Rec. 709
radiance.

The pixels' meaning in a header is obeyed, or is a ``ValueError`` with a sentence; what is left out of a file is told.
"""
