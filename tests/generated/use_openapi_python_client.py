"""Use the client that openapi-python-client generates, against the service whose URL is the argument."""

import sys
import urllib.request
from http import HTTPStatus

from weightinit_client import AuthenticatedClient
from weightinit_client.api.models import get_model, get_model_parameters, get_model_tensor, post_model
from weightinit_client.api.names import get_name, put_name
from weightinit_client.api.parameters import get_parameters
from weightinit_client.api.weights import get_weights, post_weights
from weightinit_client.models import (
    ConstantPartSpec,
    ConstantSpec,
    DecidedModel,
    DrawnPartSpec,
    DrawnSpec,
    Dtype,
    ModelDefaults,
    ModelSpec,
    NameProblem,
    NameRecord,
    Parameters,
    Problem,
    Publication,
    PublishedModel,
    Scheme,
    StackSpec,
    TensorDtype,
    WeightsSpec,
)
from weightinit_client.types import File

URL = sys.argv[1]
QUERY = "shape=784,300&activation=relu&dtype=bfloat16&seed=42&name=fc1&slice=0:2"
# Operations that may need a token take this class only; a service that is open ignores the token.
client = AuthenticatedClient(base_url=URL, token="unused")


def read(path: str) -> bytes:
    """Read a path of the service, without the client."""
    with urllib.request.urlopen(f"{URL}{path}") as response:
        content: bytes = response.read()
        return content


parameters = get_parameters.sync(client=client, shape=[784, 300], activation="relu")
assert isinstance(parameters, Parameters), parameters
assert (parameters.scheme, parameters.fan_in) == (Scheme.HE, 784)

weights = get_weights.sync(
    client=client,
    shape=[784, 300],
    activation="relu",
    dtype=Dtype.BFLOAT16,
    seed=42,
    name="fc1",
    slice_="0:2",
)
assert isinstance(weights, File), weights
assert weights.payload.read() == read(f"/v1/weights?{QUERY}")

body = WeightsSpec(
    shape=[784, 300], activation="relu", dtype=Dtype.BFLOAT16, seed="42", name="fc1", slice_="0:2"
)
posted = post_weights.sync(client=client, body=body)
assert isinstance(posted, File), posted
assert posted.payload.read() == read(f"/v1/weights?{QUERY}")


def publish(seed: int | str) -> PublishedModel:
    """Publish a model with tensors of all kinds, whose dtype is the model's default."""
    model = ModelSpec(
        seed=seed,
        defaults=ModelDefaults(dtype=Dtype.BFLOAT16, layout="torch"),
        tensors=[
            DrawnSpec(name="fc1/weight", shape=[300, 784], activation="relu"),
            ConstantSpec(name="fc1/bias", shape=[300], constant=0),
            StackSpec(
                name="table",
                shape=[5, 4],
                parts=[ConstantPartSpec(shape=[1, 4], constant=0), DrawnPartSpec(shape=[4, 4])],
            ),
        ],
    )
    published = post_model.sync(client=client, body=model)
    assert isinstance(published, PublishedModel), published
    return published


model = publish("18446744073709551615")
decided = get_model_parameters.sync(client=client, id=model.id)
assert isinstance(decided, DecidedModel), decided
assert {tensor.dtype for tensor in decided.tensors} == {TensorDtype.BFLOAT16}
canonical = get_model.sync(client=client, id=model.id)
assert isinstance(canonical, ModelSpec), canonical
assert canonical.seed == "18446744073709551615"
tensor = get_model_tensor.sync(client=client, id=model.id, tensor="fc1/weight")
assert isinstance(tensor, File), tensor
assert tensor.payload.read() == read(f"/v1/models/{model.id}/weights/fc1/weight")

name = {"team": "generated", "name": "mlp", "version": "1.0"}
publication = Publication(model=model.id, author="ada")
record = put_name.sync(client=client, body=publication, **name)
assert isinstance(record, NameRecord), record
found = get_name.sync(client=client, **name)
assert isinstance(found, NameRecord), found
assert (found.model, found.retired) == (model.id, None)

taken = put_name.sync_detailed(client=client, body=Publication(model=publish(7).id, author="eve"), **name)
assert taken.status_code is HTTPStatus.CONFLICT, taken
assert isinstance(taken.parsed, NameProblem), taken
assert taken.parsed.model == model.id
unknown = get_name.sync(client=client, team="generated", name="mlp", version="2.0")
assert isinstance(unknown, Problem), unknown
assert unknown.status == 404
invalid = get_parameters.sync(client=client, shape=[784, 300], activation="relo")
assert isinstance(invalid, Problem), invalid
assert [(error.field, error.suggestions[0]) for error in invalid.errors or []] == [("activation", "relu")]
