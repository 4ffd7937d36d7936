"""Queries: what is asked of a service."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from weightinit.boxes import Box
from weightinit.spec import Spec, refuse


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked for: a path with its parameters, and the same in words for a person."""

    path: str
    params: Mapping[str, str]
    words: str


def make_parameters_query(spec: Spec) -> Query:
    """Make the query for what is decided for a layer, which neither seed nor name has a part in."""
    params = replace(spec, seed=None, name="").to_query()
    return Query("/v1/parameters", params, f"parameters of {_write_shape(spec)}")


def make_weights_query(spec: Spec, box: Box) -> Query:
    """Make the query for a box of a tensor. Raises SpecRejected where there is no seed.

    >>> make_weights_query(Spec((784, 300), seed=42, name="fc1"), Box.of("0:9", (784, 300))).words
    'weights fc1 784×300 [0:9]'
    """
    if spec.seed is None:
        raise refuse("seed", "is required for weights", None)
    params = spec.to_query()
    if box.text:
        params["slice"] = box.text
    parts = ["weights", spec.name, _write_shape(spec), f"[{box.text}]" if box.text else ""]
    return Query("/v1/weights", params, " ".join(part for part in parts if part))


def _write_shape(spec: Spec) -> str:
    return "×".join(map(str, spec.shape))
