"""The headers of .npy and safetensors files.

A safetensors file has the length of its header in eight little-endian bytes, the header in JSON padded with
spaces, and the tensors without gaps. https://github.com/huggingface/safetensors#format
"""

from collections.abc import Iterable
from functools import lru_cache
from io import BytesIO
from itertools import accumulate, pairwise

import orjson
from numpy.lib.format import write_array_header_1_0

from service.core import TENSOR_DTYPES, TensorDtypeName
from service.core.models import Model, ModelTensor

ALIGNMENT = 8
# The order of the dtypes in a file, as in the reference implementation.
ORDER = ("U64", "I64", "F64", "F32", "U32", "I32", "BF16", "F16", "U16", "I16", "I8", "U8", "BOOL")


@lru_cache(1024)
def make_npy_header(shape: tuple[int, ...], dtype: TensorDtypeName) -> bytes:
    """Make the .npy header of a row-major array. Its length is a multiple of 64 bytes.

    >>> len(make_npy_header((784, 300), "float32"))
    128
    """
    header = BytesIO()
    description = {"descr": TENSOR_DTYPES[dtype].npy, "fortran_order": False, "shape": shape}
    write_array_header_1_0(header, description)
    return header.getvalue()


def sort_tensors(tensors: Iterable[ModelTensor]) -> list[ModelTensor]:
    """Sort tensors as the reference implementation does: by dtype, then by name.

    Larger dtypes come first, so that every tensor is aligned.
    """
    return sorted(tensors, key=_make_sort_key)


def _make_sort_key(tensor: ModelTensor) -> tuple[int, bytes]:
    return ORDER.index(TENSOR_DTYPES[tensor.dtype].safetensors), tensor.name.encode()


def make_safetensors_header(model: Model, model_id: str, tensors: list[ModelTensor]) -> bytes:
    """Make the bytes before the tensors, which keep their order. The length is a multiple of 8 bytes.

    The metadata has the origin of the weights. transformers requires `format` to load a file.
    """
    metadata = {
        "format": "pt",
        "weightinit.model": model_id,
        "weightinit.seed": str(model.seed),
        "weightinit.stream": str(model.stream),
    }
    spans = pairwise(accumulate((tensor.nbytes for tensor in tensors), initial=0))
    rows = {
        tensor.name: {
            "dtype": TENSOR_DTYPES[tensor.dtype].safetensors,
            "shape": tensor.shape,
            "data_offsets": span,
        }
        for tensor, span in zip(tensors, spans, strict=True)
    }
    text = orjson.dumps({"__metadata__": metadata, **rows})
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text
