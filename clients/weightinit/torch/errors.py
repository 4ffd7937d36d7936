"""Errors that only PyTorch gives rise to: part of the client's tree, under WeightinitError.

```
WeightinitError
└── TensorRejected   a tensor cannot hold weights   (also ValueError)
```
"""

# ruff: noqa: N818 - the names say what happened, and the root says that they are errors

from weightinit.errors import WeightinitError


class TensorRejected(WeightinitError, ValueError):
    """A tensor that cannot be filled: its device, dtype, layout or placement does not allow it."""


class UnknownActivationWarning(UserWarning):
    """It could not be seen which activations follow some layers: they start as if none did."""
