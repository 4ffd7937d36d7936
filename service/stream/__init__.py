"""The stream: each weight is a pure function of stream version, seed, name, position and spec."""

from service.stream.key import STREAM_VERSION, derive_key
from service.stream.sources.making import check_model_work, check_work, make_source, slice_tensor
from service.stream.tensor import Fill, Source, Tensor

__all__ = [
    "STREAM_VERSION",
    "Fill",
    "Source",
    "Tensor",
    "check_model_work",
    "check_work",
    "derive_key",
    "make_source",
    "slice_tensor",
]
