"""Headers: fields that may stand on several lines."""

from starlette.requests import Request


def join_lines(request: Request, name: str) -> str | None:
    """Join the lines of a list field as one (RFC 9110, section 5.3); None where there is none."""
    lines = request.headers.getlist(name)
    return ", ".join(lines) if lines else None
