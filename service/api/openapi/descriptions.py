"""Descriptions that operations share: their headers, bodies and errors."""

from service.api.http.media_types import JSON, PROBLEM_JSON
from service.api.openapi.building import Schema, refer
from service.core.access import Scope

SECURITY_SCHEME = "token"

# status → when it is returned
ERRORS = {
    400: "The body is not JSON.",
    401: "The request has no valid token. See `WWW-Authenticate`.",
    403: "The token lacks the scope, or is for another team.",
    404: "No model, tensor or name with this id or name is published.",
    406: "Accept allows none of the media types of this path.",
    408: "The request did not arrive completely in time.",
    409: "There are as many tokens as there may be.",
    412: "If-Match does not have the current entity tag.",
    413: "The body exceeds the limit.",
    415: "Content-Type is not JSON.",
    416: "The range contains no byte of the content. Content-Range has the length.",
    422: "The request is invalid: `errors` has field, rule and received value of each broken rule.",
    429: "Your address has its share of the large bodies or digests. See `Retry-After`.",
    503: "Too many large bodies or digests, or the storage is unavailable. See `Retry-After`.",
    507: "The team has used its quota, or the disk has little free space.",
}

# Response headers: of all content, of a tensor or a slice of one, and of a tensor drawn from one spec.
BYTES = {
    "ETag": "Strong. Computed without drawing.",
    "Accept-Ranges": "`bytes`.",
    "Cache-Control": "The bytes never change.",
    "Repr-Digest": "The digest of the whole content, if requested with Want-Repr-Digest.",
    "Weightinit-Stream": "The version of the stream.",
}
TENSOR = {
    "Content-Disposition": "A file name made from the tensor's name.",
    "Weightinit-Shape": "The shape of the tensor, or of the slice.",
    "Weightinit-Dtype": "The dtype.",
}
DECISION = {
    "Weightinit-Layout": "The letter of each axis.",
    "Weightinit-Scheme": "The resolved scheme.",
    "Weightinit-Mode": "The fan that divides the scale. Absent for `explicit`.",
    "Weightinit-Distribution": "The distribution.",
    "Weightinit-Variance": "σ².",
    "Weightinit-Limit": "√(3 · σ²), the bound of a uniform distribution.",
}
WARNING = {"Weightinit-Warning": "If the name is empty: what that means."}
LINK = {"Link": 'The URL of the parameters, `rel="describedby"`.'}
NEXT_PAGE = {"Link": 'The next page, `rel="next"`.'}
MODEL = {"Weightinit-Model": "The id of the model."}
RANGE = {"Content-Range": "The range, and the length of the whole content."}
LOCATION = {"Content-Location": "The URL of the GET with the same bytes."}
FIELDS = {
    "Range": "One range of bytes, such as `bytes=-1024`. A request for several gets the whole content.",
    "If-Range": "The entity tag of the range. If it is not current, the response is the whole content.",
    "If-Match": "Entity tags, one of which must be current. Otherwise the response is 412.",
    "If-None-Match": "Entity tags that the client has. If one is current, the response is 304.",
}
WANT_DIGEST = "`sha-256` or `sha-512` with a preference, such as `sha-256=10` (RFC 9530)."


def describe_fields(fields: dict[str, str]) -> list[Schema]:
    """Describe request headers."""
    return [
        {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
        for name, text in fields.items()
    ]


def describe_headers(texts: dict[str, str]) -> Schema:
    """Describe the headers of a response."""
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in texts.items()}


def describe_bytes(description: str, texts: dict[str, str], *media_types: str) -> Schema:
    """Describe a response of bytes. A range of JSON has no content here: it is not JSON."""
    content: Schema = {
        name: {"schema": {"type": "string", "format": "binary"}} for name in media_types if name != JSON
    }
    described = {"description": description, "headers": describe_headers(texts)}
    return {**described, "content": content} if content else described


def describe_json(
    description: str, schema: Schema, bodies: Schema, headers: dict[str, str] | None = None
) -> Schema:
    """Describe a response in JSON. `bodies` has one for each named example of the request."""
    examples = {name: {"value": body} for name, body in bodies.items()}
    described = {"description": description, "content": {JSON: {"schema": schema, "examples": examples}}}
    return {**described, "headers": describe_headers(headers)} if headers else described


def describe_links(links: dict[str, dict[str, str]]) -> Schema:
    """Describe the operations that use a response: operation → parameter → runtime expression."""
    return {name: {"operationId": name, "parameters": parameters} for name, parameters in links.items()}


def describe_errors(*statuses: int, problem: object = None) -> Schema:
    """Describe problems by status. `problem` is an example for 422."""
    content: Schema = {"schema": refer("Problem")}
    contents = {422: content if problem is None else {**content, "example": problem}}
    return {
        str(status): {
            "description": ERRORS[status],
            "content": {PROBLEM_JSON: contents.get(status, content)},
        }
        for status in statuses
    }


def describe_access(scope: Scope) -> Schema:
    """Describe that an operation needs a token with a scope; for `publish` and `retire` unless all may write.

    The scope is a role in the terms of OpenAPI 3.1.1, section 4.8.30.
    """
    optional: list[Schema] = [{}] if scope in {"publish", "retire"} else []
    return {"security": [*optional, {SECURITY_SCHEME: [scope]}]}


def describe_body(schema: str, examples: Schema) -> Schema:
    """Describe a request body in JSON."""
    return {"required": True, "content": {JSON: {"schema": refer(schema), "examples": examples}}}
