"""Memory: tensors of the backend, of an array's own memory where Keras would copy it."""

from typing import Any

import keras
import numpy as np

from weightinit.keras.types import Tensor


def take_over(weights: np.ndarray[Any, Any], dtype: str) -> Tensor:
    """Make a tensor of an array that nobody else will read or write."""
    taken: Tensor = weights
    match keras.backend.backend():
        case "jax":
            import jax  # noqa: PLC0415 - only that backend has it

            taken = jax.device_put(weights)
        case "torch" if dtype != "bfloat16":  # which NumPy and PyTorch do not have in common
            import torch  # noqa: PLC0415

            taken = torch.from_numpy(weights)
    return keras.ops.convert_to_tensor(taken, dtype=dtype)
