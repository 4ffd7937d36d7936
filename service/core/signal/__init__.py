"""Signals: what an activation does to the variance of a signal and of its gradient, layer by layer."""
