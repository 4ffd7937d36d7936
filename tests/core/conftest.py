"""Keras reads its backend from the environment, once, when it is imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
