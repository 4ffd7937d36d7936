"""Requests: the queries of the service."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from weightinit.errors import SpecRejected
from weightinit.spec.layer import Spec, refuse
from weightinit.spec.slices import TensorSlice


@dataclass(frozen=True, slots=True)
class Query:
    """A request: a path with its parameters, and a label for messages.

    Requests are idempotent, so each may be retried. `body` is JSON. `expected` has the headers that a
    response with bytes must have, if it has them at all.
    """

    path: str
    params: Mapping[str, str]
    label: str
    method: str = "GET"
    body: bytes | None = None
    expected: Mapping[str, str] = field(default_factory=dict)


def make_parameters_query(spec: Spec) -> Query:
    """Return the query for the parameters of a layer, which do not depend on seed and name."""
    params = replace(spec, seed=None, name=None).to_query()
    return Query("/v1/parameters", params, f"parameters of {_write_shape(spec)}")


def make_weights_query(spec: Spec, tensor_slice: TensorSlice) -> Query:
    """Return the query for a slice of a tensor. Raises SpecRejected if there is no seed or no name.

    Without names, all tensors of a seed would have the same draws.

    >>> make_weights_query(Spec((784, 300), seed=42, name="fc1"), TensorSlice.of("0:9", (784, 300))).label
    'weights fc1 784×300 [0:9]'
    """
    if spec.seed is None:
        raise refuse("seed", "is required for weights", None)
    if spec.name is None:
        raise refuse("name", "is required for weights: two tensors of one seed and name are equal", None)
    params = spec.to_query()
    if tensor_slice.text:
        params["slice"] = tensor_slice.text
    parts = ["weights", spec.name, _write_shape(spec), f"[{tensor_slice.text}]" if tensor_slice.text else ""]
    expected = {
        "Weightinit-Shape": ",".join(map(str, tensor_slice.shape)),
        "Weightinit-Dtype": spec.format.name,
    }
    return Query("/v1/weights", params, " ".join(part for part in parts if part), expected=expected)


def make_publish_query(model: Mapping[str, object]) -> Query:
    """Return the query that publishes a model. Raises SpecRejected if it cannot be written as JSON."""
    return Query("/v1/models", {}, "the id of a model", "POST", _write_json(model))


def make_expand_query(model: Mapping[str, object]) -> Query:
    """Return the query that validates a model. Raises SpecRejected if it cannot be written as JSON."""
    return Query("/v1/canonical", {}, "the canonical form of a model", "POST", _write_json(model))


def make_model_query(model: str, part: str = "") -> Query:
    """Return the query for a model by its id, or for its `/parameters` or `/weights`.

    >>> make_model_query("0" * 64, "/weights").label
    'weights of model 000000000000'
    """
    label = f"model {model[:12]}"
    expected = {"Weightinit-Model": model}
    return Query(
        f"/v1/models/{model}{part}", {}, f"{part[1:]} of {label}" if part else label, expected=expected
    )


def make_tensor_query(model: str, name: str, tensor_slice: TensorSlice, dtype: str) -> Query:
    """Return the query for a slice of a tensor of a model, by the model's id.

    >>> make_tensor_query("0" * 64, "fc/weight", TensorSlice.of("0:9", (784, 300)), "float32").label
    'tensor fc/weight [0:9] of model 000000000000'
    """
    cut = f" [{tensor_slice.text}]" if tensor_slice.text else ""
    expected = {
        "Weightinit-Model": model,
        "Weightinit-Shape": ",".join(map(str, tensor_slice.shape)),
        "Weightinit-Dtype": dtype,
    }
    path = f"/v1/models/{model}/weights/{quote(name, safe='/')}"
    params = {"slice": tensor_slice.text} if tensor_slice.text else {}
    return Query(path, params, f"tensor {name}{cut} of model {model[:12]}", expected=expected)


def make_name_query(name: str, method: str = "GET", **fields: str) -> Query:
    """Return the query that looks up a name, assigns it (PUT) or retires it (DELETE), with its fields.

    >>> make_name_query("vision/resnet50/1").path
    '/v1/names/vision/resnet50/1'
    """
    path, label = f"/v1/names/{name}", f"name {name}"
    if method == "PUT":
        return Query(path, {}, label, method, _write_json(fields))
    return Query(path, fields, label, method)


def make_names_query(params: Mapping[str, str]) -> Query:
    """Return the query for a page of names."""
    return Query("/v1/names", params, "the list of names")


def _write_json(value: Mapping[str, object]) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise SpecRejected(f"the request cannot be written as JSON: {error}", detail=str(error)) from None


def _write_shape(spec: Spec) -> str:
    return "×".join(map(str, spec.shape))
