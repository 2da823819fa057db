"""The differentiable rasterizer."""
