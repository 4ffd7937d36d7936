"""What OpenAPI says of the operations for those who run the service."""

from service.api import metrics, problems
from service.api.parameters import JSON
from service.api.schemas import Schema, refer

STATUS: Schema = {JSON: {"schema": {"type": "object", "properties": {"status": {"const": "ok"}}}}}

OPERATIONS: dict[str, Schema] = {
    "get_liveness": {"responses": {"200": {"description": "The process answers.", "content": STATUS}}},
    "get_readiness": {
        "responses": {
            "200": {"description": "The stream draws what it always drew.", "content": STATUS},
            "503": {
                "description": "The self-check has not passed.",
                "content": {problems.MEDIA_TYPE: {"schema": refer("Problem")}},
            },
        }
    },
    "get_metrics": {
        "responses": {
            "200": {
                "description": "The metrics.",
                "content": {metrics.CONTENT_TYPE: {"schema": {"type": "string"}}},
            }
        }
    },
}
