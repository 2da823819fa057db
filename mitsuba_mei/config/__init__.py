"""Scene files, sweep files and model cards: every key, its type, unit, bounds and default, and the YAML they are read from."""
