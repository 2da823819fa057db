"""The Python door: networks and scenes in memory, over the same experiments as the command line."""
