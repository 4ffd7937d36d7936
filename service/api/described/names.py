"""What OpenAPI says of the operations on names: parameters, bodies, answers, examples."""

from service.api import problems
from service.api.described.pieces import describe_body, describe_errors, describe_fields
from service.api.parameters import JSON
from service.api.schemas import SCHEMAS, Schema, make_query_parameters, refer
from service.core.naming import SEGMENT, SEGMENT_RULE

PUBLICATION: Schema = {
    "model": "c0669034b30572d3d2a5a50975de49616ad423c02816ec6da895ef7fdfba579b",
    "author": "ada",
    "note": "the start of the March runs",
}
SEGMENTS = {"team": "vision", "name": "resnet50", "version": "1.0"}
TAGS = {"If-None-Match": "Entity tags that the client has: 304 where one is the current."}
HEADERS: Schema = {
    "ETag": {"description": "Strong.", "schema": {"type": "string"}},
    "Cache-Control": {"description": "`no-cache`: ask each time.", "schema": {"type": "string"}},
}
LINK: Schema = {"Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}}

# status → when it is answered
ERRORS = {
    404: "Nothing was published under this name.",
    409: "The name stands for another model, whose id `model` has, or is retired, as `retired` says.",
    410: "The name is retired: `model` has the id of its model, and `retired` says by whom, why and when.",
    503: "The storage cannot answer; Retry-After says when to try again.",
}


def describe_path() -> list[Schema]:
    """Describe the segments of a name in a path."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": SEGMENT_RULE,
            "schema": {"type": "string", "pattern": f"^{SEGMENT.pattern}$"},
            "example": example,
        }
        for name, example in SEGMENTS.items()
    ]


def describe_name_errors(*statuses: int) -> Schema:
    """Describe the problems that only names have."""
    return {
        str(status): {
            "description": ERRORS[status],
            "content": {
                problems.MEDIA_TYPE: {"schema": refer("NameProblem" if status in {409, 410} else "Problem")}
            },
        }
        for status in statuses
    }


def describe_entry(description: str, headers: Schema | None = None) -> Schema:
    """Describe an answer that has an entry."""
    content: Schema = {JSON: {"schema": refer("Entry")}}
    return {"description": description, "content": content, **({"headers": headers} if headers else {})}


PAGE: Schema = {"type": "object", "properties": {"names": {"type": "array", "items": refer("Entry")}}}

OPERATIONS: dict[str, Schema] = {
    "put_name": {
        "parameters": describe_path(),
        "requestBody": describe_body(
            "Publication", {"start": {"summary": "A name for a start", "value": PUBLICATION}}
        ),
        "responses": {
            "200": describe_entry("The name stands for this model already."),
            "201": describe_entry("The name stands for this model from now on."),
            **describe_errors(400, 406, 408, 413, 415, 422),
            **describe_name_errors(409, 503),
        },
    },
    "get_name": {
        "parameters": [*describe_path(), *describe_fields(TAGS)],
        "responses": {
            "200": describe_entry("What the name stands for.", HEADERS),
            "304": {"description": "The client has this answer."},
            **describe_errors(406, 422),
            **describe_name_errors(404, 410, 503),
        },
    },
    "delete_name": {
        "parameters": [*describe_path(), *make_query_parameters(SCHEMAS["Reason"], {"author": "ada"})],
        "responses": {
            "200": describe_entry("The name is retired."),
            **describe_errors(406, 422),
            **describe_name_errors(404, 503),
        },
    },
    "list_names": {
        "parameters": [
            *make_query_parameters(SCHEMAS["Listing"], {"prefix": "vision/", "limit": 20}),
            *describe_fields(TAGS),
        ],
        "responses": {
            "200": {
                "description": "The names, a page of them.",
                "headers": {**HEADERS, **LINK},
                "content": {JSON: {"schema": PAGE}},
            },
            "304": {"description": "The client has this answer."},
            **describe_errors(406, 422),
            **describe_name_errors(503),
        },
    },
}
