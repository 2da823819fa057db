"""Mesh file formats, one module each."""
