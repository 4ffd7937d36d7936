"""What OpenAPI says of each operation beside its endpoint's text: parameters, bodies, answers, examples."""

from service.api.described import layers, models, names, service
from service.api.schemas import Schema

# endpoint → what its operation has beside summary and description
OPERATIONS: dict[str, Schema] = {
    **layers.OPERATIONS,
    **models.OPERATIONS,
    **names.OPERATIONS,
    **service.OPERATIONS,
}
