"""Tuning: the grid of scenes, what a curve or map over it says, and its pictures."""
