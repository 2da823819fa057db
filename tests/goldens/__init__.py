"""Twelve short deterministic runs of all kinds, and what each came to, kept to the last bit."""
