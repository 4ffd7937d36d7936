"""The weightinit service: seeded initial weights of neural networks over HTTP."""

__version__ = "0.1.0"
