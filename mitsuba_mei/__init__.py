"""3D maximally exciting inputs with a physically based, differentiable renderer."""

__version__ = "0.1.0"
