"""Examples in the OpenAPI document: requests, and responses that are computed from them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from service.api.model_cache import NO_LIMITS
from service.api.problems import NameRecord, NameRetiredError, describe_domain_error, render
from service.api.schemas.recipes import render_canonical
from service.api.schemas.responses import DecidedModel, PublishedModel
from service.api.schemas.tokens import AuditRecord, CurrentToken, NewToken, TokenRecord
from service.core import LayerSpec, SpecError, resolve_parameters
from service.core.access import Token
from service.core.layer.propagate import add_propagation
from service.core.models import ParsedModel, parse_expanded
from service.core.models.names import ModelName
from service.store import NameEntry, Retirement
from service.stream import STREAM_VERSION

Values = dict[str, Any]
Examples = dict[str, dict[str, Any]]  # name → summary and value

LAYER: Values = {"shape": [784, 300], "activation": "relu"}
LAYERS: Examples = {
    "dense": {"summary": "A dense layer before a ReLU", "value": LAYER},
    "convolution": {
        "summary": "A grouped 3 × 3 convolution in PyTorch's layout, before a leaky ReLU",
        "value": {
            "shape": [64, 8, 3, 3],
            "layout": "torch",
            "groups": 4,
            "activation": "leaky_relu",
            "negative_slope": 0.01,
        },
    },
    "keras": {
        "summary": "VarianceScaling(scale=2, mode=fan_avg, distribution=uniform) of Keras",
        "value": {"shape": [784, 300], "scheme": "he_uniform", "mode": "fan_avg"},
    },
    "table": {"summary": "The token embedding of GPT-2", "value": {"shape": [50257, 768], "stddev": 0.02}},
}
MISSPELT: Values = {"shape": [784, 300], "activation": "relo"}

MODELS: Examples = {
    "digits": {
        "summary": "A classifier of digits, with zero biases",
        "value": {
            "seed": 42,
            "tensors": [
                {"name": "hidden/kernel", "shape": [64, 32], "activation": "relu"},
                {"name": "hidden/bias", "shape": [32], "constant": 0},
                {"name": "out/kernel", "shape": [32, 10]},
                {"name": "out/bias", "shape": [10], "constant": 0},
            ],
        },
    },
    "attention": {
        "summary": "Three projections in one tensor, in bfloat16",
        "value": {
            "seed": "18446744073709551615",
            "defaults": {"dtype": "bfloat16", "layout": "torch"},
            "tensors": [
                {
                    "name": "attention.in_proj_weight",
                    "shape": [384, 128],
                    "parts": [
                        {"name": f"attention.in_proj_weight.{part}", "shape": [128, 128]} for part in "qkv"
                    ],
                }
            ],
        },
    },
}


RECIPES: Examples = {
    "gpt2": {
        "summary": "Two matrices of the first of 12 layers, initialized as in GPT-2",
        "value": {
            "seed": 42,
            "recipe": {"name": "gpt2", "layers": 12},
            "defaults": {"layout": "torch"},
            "tensors": [
                {"name": "h.0.mlp.c_fc.weight", "shape": [256, 64]},
                {"name": "h.0.mlp.c_proj.weight", "shape": [64, 256]},
                {"name": "h.0.mixed", "shape": [64, 64], "role": "attention_out"},
            ],
        },
    },
}


def to_json(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Convert a value to JSON and back, as a client reads it."""
    return orjson.loads(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def parse_example(values: Mapping[str, object]) -> ParsedModel:
    """Parse the model of an example, without limits. Raises SpecError."""
    return parse_expanded(values, STREAM_VERSION, NO_LIMITS)


def decide(values: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
    """Return the JSON response to a layer spec: its parameters, or a problem."""
    try:
        spec = LayerSpec.parse(values)
        return to_json(add_propagation(spec, resolve_parameters(spec)))
    except SpecError as error:
        return orjson.loads(render(describe_domain_error(error)))


PARAMETERS = {name: decide(example["value"]) for name, example in LAYERS.items()}
PROBLEM = decide(MISSPELT)


def expand(examples: Examples) -> Examples:
    """Return the responses to models that are not published."""
    return {
        name: orjson.loads(render_canonical(parse_example(row["value"]))) for name, row in examples.items()
    }


def refuse_model(values: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON
    """Return the problem of an invalid model."""
    try:
        return to_json(parse_example(values))
    except SpecError as error:
        return orjson.loads(render(describe_domain_error(error)))


_MODELS = {name: parse_example(example["value"]).model for name, example in MODELS.items()}
PUBLISHED = {name: to_json(PublishedModel.of(model)) for name, model in _MODELS.items()}
EXPANDED, EXPANDED_RECIPES = expand(MODELS), expand(RECIPES)
UNKNOWN_RECIPE = refuse_model({**RECIPES["gpt2"]["value"], "recipe": "gpt3"})
DIGITS = _MODELS["digits"]
CANONICAL = orjson.loads(DIGITS.canonical)
DECIDED = to_json(DecidedModel.of(DIGITS.id, DIGITS))

NAME = ModelName("vision", "digits", "1.0")
PUBLICATION: Values = {"model": DIGITS.id, "author": "ada", "note": "the start of the March runs"}
RETIREMENT: Values = {"author": "grace", "note": "superseded by 1.1"}
_ENTRY = NameEntry(name=NAME, published=datetime(2026, 3, 2, 9, 30, 0, 123456, UTC), **PUBLICATION)
_RETIRED = NameEntry(
    name=NAME,
    published=_ENTRY.published,
    retired=Retirement(when=datetime(2026, 4, 7, 16, 5, 20, 654321, UTC), **RETIREMENT),
    **PUBLICATION,
)
ENTRY, RETIRED = to_json(NameRecord.of(_ENTRY)), to_json(NameRecord.of(_RETIRED))
RETIRED_PROBLEM = orjson.loads(render(describe_domain_error(NameRetiredError(_RETIRED))))

TOKEN_REQUEST: Examples = {
    "publisher": {
        "summary": "A token that publishes and retires names of a team for 90 days",
        "value": {"team": "vision", "scopes": ["publish", "retire"], "note": "nightly build", "days": 90},
    }
}
_TOKEN = Token(
    id="5f0c9b7e21d4",
    digest=b"",
    team="vision",
    scopes=frozenset({"publish", "retire"}),
    note="nightly build",
    created=datetime(2026, 3, 2, 9, 0, 0, 123456, UTC),
    expires=datetime(2026, 5, 31, 9, 0, 0, 123456, UTC),
)
TOKEN = to_json(TokenRecord.of(_TOKEN))
NEW_TOKEN = to_json(NewToken(f"wi_{_TOKEN.id}_" + "A" * 43, TokenRecord.of(_TOKEN)))
CURRENT_TOKEN = to_json(CurrentToken(TokenRecord.of(_TOKEN), 18_213, 2**30))
REVOKED_TOKEN = {**TOKEN, "revoked": "2026-04-07T16:05:20.654321Z"}
CHANGE = to_json(
    AuditRecord(
        17, _ENTRY.published, "publish name", str(NAME), NAME.team, _TOKEN.id, "192.0.2.7", "build-31"
    )
)
