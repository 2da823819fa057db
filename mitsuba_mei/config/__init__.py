"""Schemas of scene files, sweep files and model cards: keys, types, units, bounds, defaults; and their YAML."""
