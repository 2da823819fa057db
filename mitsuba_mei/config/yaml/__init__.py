"""YAML whose values know their file and line."""
