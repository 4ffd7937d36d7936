"""What OpenAPI says of each operation beside its endpoint's text: parameters, bodies, answers, examples."""

from service.api.endpoints import health as service
from service.api.endpoints import models, names
from service.api.endpoints import weights as layers
from service.api.openapi import Schema

# endpoint → what its operation has beside summary and description
OPERATIONS: dict[str, Schema] = {
    **layers.OPERATIONS,
    **models.OPERATIONS,
    **names.OPERATIONS,
    **service.OPERATIONS,
}
