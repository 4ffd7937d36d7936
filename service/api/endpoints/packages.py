"""GET /simple and /packages: the client's wheel, for pip and uv."""

from typing import Any

import orjson
from fastapi import APIRouter
from packaging.utils import canonicalize_name
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.api.content.representation import Content, Representation
from service.api.context import get_context
from service.api.http.media_types import OCTET_STREAM
from service.api.http.negotiation import choose_media_type, join_lines
from service.api.router import Operation
from service.api.sending.respond import respond_get
from service.api.wheel import (
    MEDIA_TYPES,
    PROJECT,
    Wheel,
    list_files,
    list_projects,
)

router = APIRouter(route_class=Operation)

# The next release of the service has another wheel, so caches keep the index only as long as PyPI's.
INDEX_HEADERS = {
    "Cache-Control": "public, max-age=600",
    "Content-Security-Policy": "default-src 'none'",
    "Vary": "Accept",
}


@router.get("/simple", include_in_schema=False)
async def redirect_to_projects(request: Request) -> Response:
    """Redirect to the path with a trailing slash, to which links are relative (PEP 503)."""
    return redirect(request, "simple/")


@router.get("/simple/{project}", include_in_schema=False)
async def redirect_to_files(request: Request) -> Response:
    """Redirect to the project's path with its normalized name and a trailing slash (PEP 503)."""
    require_wheel(request)
    return redirect(request, f"simple/{PROJECT}/")


@router.get("/simple/", include_in_schema=False)
async def get_projects(request: Request) -> Response:
    """List the projects: the client, if the service has its wheel."""
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    return send_index(list_projects(get_context(request).wheel, media_type), media_type)


@router.get("/simple/{project}/", include_in_schema=False)
async def get_files(request: Request) -> Response:
    """List the files of the client."""
    wheel = require_wheel(request)
    if request.path_params["project"] != PROJECT:
        return redirect(request, f"simple/{PROJECT}/")
    media_type = choose_media_type(join_lines(request, "accept"), MEDIA_TYPES)
    return send_index(list_files(wheel, media_type), media_type)


@router.get("/packages/{sha256}/{filename}", include_in_schema=False)
async def get_file(request: Request) -> Response:
    """Send the wheel or its metadata."""
    wheel = get_context(request).wheel
    files = wheel.files if wheel else {}
    key = "{sha256}/{filename}".format_map(request.path_params)
    if key not in files:
        raise HTTPException(404, "This service has no such file. /simple/weightinit/ lists its files.")
    return await respond_get(request, Content.of(Representation(OCTET_STREAM, files[key], ()), {}))


def require_wheel(request: Request) -> Wheel:
    """Return the wheel of the project that a path names. Raises HTTPException 404."""
    project, wheel = request.path_params["project"], get_context(request).wheel
    if canonicalize_name(project) != PROJECT:
        raise HTTPException(404, f"This index has only the project {PROJECT}.")
    if wheel is None:
        raise HTTPException(404, "This service was installed without a wheel of the client.")
    return wheel


def redirect(request: Request, path: str) -> Response:
    """Redirect to a path below the root of the service."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/{path}", 308)


def send_index(index: str | dict[str, Any], media_type: str) -> Response:
    """Send an index in HTML or JSON."""
    body = index if isinstance(index, str) else orjson.dumps(index)
    return Response(body, media_type=media_type, headers=INDEX_HEADERS)
