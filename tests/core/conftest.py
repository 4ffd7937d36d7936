"""Set Keras' backend, which Keras reads from the environment when it is imported."""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")
