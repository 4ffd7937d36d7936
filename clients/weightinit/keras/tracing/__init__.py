"""Tracing: the graphs of Keras' models, by calls of their layers on symbolic tensors."""
