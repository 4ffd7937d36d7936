"""Tracing: the graph of a module, and which activation follows each of its kernels."""
