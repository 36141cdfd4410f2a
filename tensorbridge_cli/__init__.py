"""Which NumPy–PyTorch conversions share memory and which copy: proved by experiment."""

__version__ = "0.1.0"
