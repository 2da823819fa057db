"""Renderers of a SceneState: a differentiable path tracer and a differentiable rasterizer."""
