"""Tensors whose current values are kept because the module's author chose them."""
