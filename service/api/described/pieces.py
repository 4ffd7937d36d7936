"""Pieces of the description: parameters, bodies, headers and answers that operations share."""

from service.api import problems
from service.api.parameters import JSON
from service.api.schemas import Schema, refer

# status → when it is answered
ERRORS = {
    400: "The body is not JSON.",
    404: "Nothing of that name or id is published.",
    406: "Accept leaves none of the media types served.",
    408: "The request did not wholly arrive in time.",
    412: "If-Match does not name the entity tag.",
    413: "The body is longer than the limit.",
    415: "The body is not said to be JSON.",
    416: "No byte of the range is there; Content-Range has the length.",
    422: "What was asked for cannot be honoured: `errors` has field, rule and received value of each rule.",
    503: "Too many large bodies are being sent, or the storage cannot answer: try after Retry-After.",
}

# What comes with all bytes, with those of a tensor or a box of one, and with what is drawn by one spec.
BYTES = {
    "ETag": "Strong, and known before a byte is drawn.",
    "Accept-Ranges": "`bytes`.",
    "Cache-Control": "The bytes never change.",
    "Repr-Digest": "The digest of the whole, where Want-Repr-Digest asked for one.",
    "Weightinit-Stream": "The version of the stream.",
}
TENSOR = {
    "Content-Disposition": "A file name made from the tensor's name.",
    "Weightinit-Shape": "The shape of what is served: of the box, where there is a slice.",
    "Weightinit-Dtype": "The dtype.",
}
DECISION = {
    "Weightinit-Layout": "The letter of each axis.",
    "Weightinit-Scheme": "The scheme that was decided on.",
    "Weightinit-Mode": "The fan that divides the scale.",
    "Weightinit-Distribution": "The distribution.",
    "Weightinit-Variance": "σ².",
    "Weightinit-Limit": "√(3 · σ²): the bound of a uniform distribution.",
}
LINK = {"Link": "The parameters that the bytes were drawn with (`describedby`)."}
MODEL = {"Weightinit-Model": "The id of the model."}
RANGE = {"Content-Range": "Which bytes these are."}
LOCATION = {"Content-Location": "The GET of the same bytes."}
FIELDS = {
    "Range": "One range of bytes, such as `bytes=-1024`. Several are answered with the whole.",
    "If-Range": "The entity tag for which the range holds; else the whole is sent.",
    "If-Match": "Entity tags of which one must be the current.",
    "If-None-Match": "Entity tags that the client has: 304 where one is the current.",
}
WANT_DIGEST = "`sha-256` or `sha-512` with a preference, such as `sha-256=10` (RFC 9530)."


def describe_fields(fields: dict[str, str]) -> list[Schema]:
    """Describe request headers."""
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in fields.items()
    ]


def describe_headers(texts: dict[str, str]) -> Schema:
    """Describe the headers of an answer."""
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}


def describe_bytes(description: str, texts: dict[str, str], *media_types: str) -> Schema:
    """Describe an answer of bytes."""
    content: Schema = {name: {} for name in media_types}
    return {"description": description, "headers": describe_headers(texts), "content": content}


def describe_errors(*statuses: int) -> Schema:
    """Describe problems."""
    content = {problems.MEDIA_TYPE: {"schema": refer("Problem")}}
    return {str(status): {"description": ERRORS[status], "content": content} for status in statuses}


def describe_body(schema: str, examples: Schema) -> Schema:
    """Describe a body in JSON."""
    return {"required": True, "content": {JSON: {"schema": refer(schema), "examples": examples}}}
