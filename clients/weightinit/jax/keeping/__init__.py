"""Leaves that keep what the model's author chose, and the initializers of its layers."""
