"""Use the client that openapi-generator generates, against the service whose URL is the argument."""

import sys
import urllib.request

import weightinit_api as api
from weightinit_api.exceptions import ConflictException, NotFoundException, UnprocessableEntityException

URL = sys.argv[1]
client = api.ApiClient(api.Configuration(host=URL))
layers, weights, models, names = (
    kind(client) for kind in (api.ParametersApi, api.WeightsApi, api.ModelsApi, api.NamesApi)
)


def read(path):
    """Read a path of the service, without the client."""
    with urllib.request.urlopen(f"{URL}{path}") as response:
        return response.read()


parameters = layers.get_parameters(shape=[784, 300], activation="relu")
assert (parameters.scheme, parameters.fan_in) == (api.Scheme.HE, 784)

layer = {"shape": [784, 300], "activation": "relu", "dtype": api.Dtype.BFLOAT16, "name": "fc1"}
own = read("/v1/weights?shape=784,300&activation=relu&dtype=bfloat16&seed=42&name=fc1&slice=0:2")
assert weights.get_weights(**layer, seed=42, slice="0:2") == own
body = api.WeightsSpec(**layer, seed=api.Seed("42"), slice="0:2")
assert weights.post_weights(body) == own


def publish(seed):
    """Publish a model with tensors of all kinds, whose dtype is the model's default."""
    table = api.StackSpec(
        name="table",
        shape=[5, 4],
        parts=[
            api.PartSpec(api.ConstantPartSpec(shape=[1, 4], constant=0)),
            api.PartSpec(api.DrawnPartSpec(shape=[4, 4])),
        ],
    )
    tensors = [
        api.DrawnSpec(name="fc1/weight", shape=[300, 784], activation="relu"),
        api.ConstantSpec(name="fc1/bias", shape=[300], constant=0),
        table,
    ]
    return models.post_model(
        api.ModelSpec(
            seed=api.Seed(seed),
            defaults=api.ModelDefaults(dtype=api.Dtype.BFLOAT16, layout="torch"),
            tensors=[api.TensorSpec(tensor) for tensor in tensors],
        )
    )


model = publish("18446744073709551615")
decided = models.get_model_parameters(model.id)
assert {tensor.dtype for tensor in decided.tensors} == {api.TensorDtype.BFLOAT16}
assert models.get_model(model.id).seed.actual_instance == "18446744073709551615"
tensor = models.get_model_tensor(model.id, "fc1/weight")
assert tensor == read(f"/v1/models/{model.id}/weights/fc1/weight")

name = {"team": "generated", "name": "mlp", "version": "1.0"}
names.put_name(**name, publication=api.Publication(model=model.id, author="ada"))
found = names.get_name(**name)
assert (found.model, found.retired) == (model.id, None)


def refuse(kind, call, *arguments, **fields):
    """Call an operation that is refused with an exception, and return its problem."""
    try:
        call(*arguments, **fields)
    except kind as error:
        return error.data
    raise AssertionError("the request succeeded")


stolen = api.Publication(model=publish(7).id, author="eve")
assert refuse(ConflictException, names.put_name, **name, publication=stolen).model == model.id
assert refuse(NotFoundException, names.get_name, "generated", "mlp", "2.0").status == 404
invalid = refuse(UnprocessableEntityException, layers.get_parameters, shape=[784, 300], activation="relo")
assert invalid.errors[0].suggestions[0] == "relu"
