"""Components: the schemas that operations share.

Each has a name of its own, because generated clients have a class for each. A default is text in the
description of a field: openapi-typescript makes fields with a `default` required, and others send it.
"""

from pydantic import TypeAdapter

from service.api.openapi.building import (
    ENUMS,
    REFERENCE,
    Schema,
    describe_defaults,
    make_enum,
    make_page,
    name_parts,
    refer,
)
from service.api.openapi.specs import SEED, SPEC, make_model_schemas, make_weights_schema
from service.api.problems import NameProblem, NameRecord, Problem
from service.api.schemas.names import Publication
from service.api.schemas.recipes import CanonicalModel, RecipeRow
from service.api.schemas.responses import ActivationRow, DecidedModel, PublishedModel, SchemeRow
from service.api.schemas.tokens import (
    AuditRecord,
    CurrentToken,
    NewToken,
    TokenRecord,
    TokenRequest,
)
from service.core import Parameters

RESPONSES = {
    "Parameters": Parameters,
    "PublishedModel": PublishedModel,
    "DecidedModel": DecidedModel,
    "NameRecord": NameRecord,
    "CanonicalModel": CanonicalModel,
    "SchemeRow": SchemeRow,
    "RecipeRow": RecipeRow,
    "ActivationRow": ActivationRow,
    "TokenRecord": TokenRecord,
    "NewToken": NewToken,
    "CurrentToken": CurrentToken,
    "AuditRecord": AuditRecord,
    "Problem": Problem,
    "NameProblem": NameProblem,
}


RECIPE_CHOICE: Schema = {
    "title": "RecipeChoice",
    "description": "A recipe by its name, and its sizes, such as `layers`.",
    "type": "object",
    "properties": {"name": {"title": "Name", "type": "string"}},
    "required": ["name"],
    "additionalProperties": {"type": "number"},
}


def make_response_schemas() -> dict[str, Schema]:
    """Make the schemas of responses and of the objects in them."""
    schemas = {
        name: {**TypeAdapter(kind).json_schema(ref_template=REFERENCE), "title": name}
        for name, kind in RESPONSES.items()
    }
    inner = [schema.pop("$defs", {}) for schema in schemas.values()]
    pages = {
        "SchemeTable": make_page("SchemeTable", "The initialization schemes.", "schemes", "SchemeRow"),
        "ActivationTable": make_page("ActivationTable", "The activations.", "activations", "ActivationRow"),
        "RecipeTable": make_page("RecipeTable", "The recipes.", "recipes", "RecipeRow"),
        "NamePage": make_page("NamePage", "A page of names.", "names", "NameRecord"),
        "TokenList": make_page("TokenList", "Tokens that are not revoked.", "tokens", "TokenRecord"),
        "AuditPage": make_page("AuditPage", "A page of the audit trail.", "changes", "AuditRecord"),
    }
    schemas["CanonicalModel"]["properties"] |= {
        "model": refer("ModelSpec"),
        "recipe": {"anyOf": [refer("RecipeChoice"), {"type": "null"}]},
    }
    named = {name: name_parts(value) for group in (schemas, *inner, pages) for name, value in group.items()}
    for problem in ("Problem", "NameProblem"):  # they have no errors, rather than an empty list
        del named[problem]["properties"]["errors"]["default"]
    named["FieldError"]["required"].append("suggestions")
    del named["FieldError"]["properties"]["suggestions"]["default"]
    return named


COMPONENTS: Schema = {
    **make_response_schemas(),
    **make_model_schemas(),
    **{name: make_enum(name) for name in ENUMS},
    "Seed": SEED,
    "RecipeChoice": RECIPE_CHOICE,
    "Publication": describe_defaults(Publication.model_json_schema()),
    "TokenRequest": describe_defaults(name_parts(TokenRequest.model_json_schema())),
    "LayerSpec": describe_defaults(SPEC),
    "WeightsSpec": describe_defaults(make_weights_schema()),
    "Health": {
        "title": "Health",
        "description": "The state of a service that answers.",
        "type": "object",
        "properties": {"status": {"title": "Status", "const": "ok"}},
        "required": ["status"],
    },
}
