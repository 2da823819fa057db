"""Run folders: written, locked, resumed and read again."""
