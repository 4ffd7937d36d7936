"""GET /, /openapi.json and /docs: the OpenAPI document, and a page that works offline to try it."""

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.api.context import get_context
from service.api.router import Operation

router = APIRouter(route_class=Operation)

# Swagger UI's files come with the package fastapi-offline.
ASSETS = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}

POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>weightinit</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

START = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
"""


@router.get("/", include_in_schema=False)
async def get_index(request: Request) -> Response:
    """Redirect to the docs."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/docs", 307)


@router.get("/openapi.json", include_in_schema=False)
async def get_openapi(request: Request) -> Response:
    """Return the OpenAPI document."""
    return Response(
        get_context(request).openapi, media_type="application/json", headers={"Cache-Control": "no-cache"}
    )


@router.get("/docs", include_in_schema=False)
async def get_docs(_request: Request) -> Response:
    """Return the docs page."""
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(PAGE, media_type="text/html", headers=headers)


@router.get("/docs/start.js", include_in_schema=False)
async def get_start(_request: Request) -> Response:
    """Return the script that starts the page."""
    return Response(START, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


@router.get("/docs/{name}", include_in_schema=False)
async def get_asset(request: Request) -> Response:
    """Return one of Swagger UI's files."""
    name = request.path_params["name"]
    if name not in ASSETS:
        raise HTTPException(404)
    headers = {"Cache-Control": "public, max-age=86400"}
    return Response(read_asset(name), media_type=ASSETS[name], headers=headers)


def read_asset(name: str) -> bytes:
    """Read one of Swagger UI's files without importing its package."""
    package = find_spec("fastapi_offline")
    if package is None or package.origin is None:
        raise HTTPException(404)
    return Path(package.origin).with_name("static").joinpath(name).read_bytes()
