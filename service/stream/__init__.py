"""The stream: each weight is a pure function of stream version, seed, name, position and spec."""

from service.stream.key import STREAM_VERSION, derive_key
from service.stream.tensor import Fill, Source, Tensor, slice_tensor

__all__ = ["STREAM_VERSION", "Fill", "Source", "Tensor", "derive_key", "slice_tensor"]
