"""Stimuli for a monitor, scenes for Blender."""
