"""GET /v1/names/…/parameters and …/weights: redirects to the model that a name stands for.

The bytes have one URL, with the model's id, so caches keep them once for all names of the model. Caches keep
a redirect for a minute only, because the name may be retired.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from service.api.access import check_reader
from service.api.context import get_context
from service.api.endpoints.models import SLICE_PARAMETER, read_tensor_name
from service.api.endpoints.models import describe_path as describe_model_path
from service.api.endpoints.names import describe_name_errors, describe_path, find_entry
from service.api.links import NAME, SAFE, link_model
from service.api.openapi import Schema, describe_errors, describe_headers
from service.api.router import make_router
from service.core.models.names import ModelName

router = make_router("names")

CACHE_CONTROL = "public, max-age=60"

RESPONSES: Schema = {
    "307": {
        "description": "A redirect to the URL with the model's id. The query is kept.",
        "headers": describe_headers(
            {
                "Location": "The URL with the model's id.",
                "Cache-Control": "1 minute: a name may be retired.",
            }
        ),
    },
    **describe_errors(422),
    **describe_name_errors(404, 410, 503),
}

TENSOR = [parameter for parameter in describe_model_path("tensor") if parameter["name"] == "tensor"]


@router.get(NAME + "/parameters", openapi_extra={"parameters": describe_path(), "responses": RESPONSES})
async def get_named_parameters(request: Request) -> Response:
    """Redirect to the parameters of the model that a name stands for."""
    return await redirect(request, "/parameters")


@router.get(NAME + "/weights", openapi_extra={"parameters": describe_path(), "responses": RESPONSES})
async def get_named_weights(request: Request) -> Response:
    """Redirect to the weights of the model that a name stands for."""
    return await redirect(request, "/weights")


@router.get(
    NAME + "/weights/{tensor:path}",
    openapi_extra={"parameters": [*describe_path(), *TENSOR, SLICE_PARAMETER], "responses": RESPONSES},
)
async def get_named_tensor(request: Request) -> Response:
    """Redirect to one tensor of the model that a name stands for."""
    return await redirect(request, f"/weights/{quote(read_tensor_name(request), SAFE)}")


async def redirect(request: Request, path: str) -> Response:
    """Redirect to a path of the model. Raises SpecError, HTTPException 404, NameRetiredError."""
    context = get_context(request)
    name = ModelName.of(*(request.path_params[segment] for segment in ModelName._fields))
    check_reader(request, name.team)
    entry = await find_entry(context, name)
    query = quote(request.scope["query_string"], SAFE + "%&=+;?@$[]")
    url = link_model(entry.model, context.settings.root_path) + path + (query and f"?{query}")
    return RedirectResponse(url, 307, {"Cache-Control": CACHE_CONTROL})
