"""The differentiable path tracer."""
