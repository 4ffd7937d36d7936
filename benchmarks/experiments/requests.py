"""Requests per second: wrk against the service and the constant, in bursts that take turns."""

from collections.abc import Mapping

from benchmarks.experiments.draws import OURS
from benchmarks.load import measure_load
from benchmarks.measure import Figures, alternate
from benchmarks.scale import Scale
from benchmarks.servers import Server, run_constant, run_service

Body = Mapping[str, object]


def race_parameters(scale: Scale) -> Figures:
    """Race a query of shape and activation."""
    return race(
        scale,
        "/v1/parameters?shape=784,NUMBER&activation=relu",
        "/constant?shape=784&shape=NUMBER&activation=relu",
    )


def race_posts(scale: Scale) -> Figures:
    """Race the same in JSON."""
    body = {"shape": [784, 300], "activation": "relu", "name": "layerNUMBER"}
    return race(scale, "/v1/parameters", "/constant", body)


def race_weights(scale: Scale) -> Figures:
    """Race 40000 bytes of weights, another seed each time, against a constant of a few bytes."""
    return race(
        scale,
        "/v1/weights?shape=100,100&activation=relu&seed=NUMBER&name=hidden1",
        "/constant?shape=100&shape=100&activation=relu&seed=NUMBER&name=hidden1",
    )


def race(scale: Scale, ours: str, theirs: str, body: Body | None = None) -> Figures:
    """Race a path of the service and one of the constant."""
    seconds = scale.pick(2, 1)

    def measure(server: Server, path: str) -> float:
        return measure_load(server.port, path, seconds, body=body)

    with run_service() as service, run_constant() as constant:
        contestants = {OURS: lambda: measure(service, ours), "FastAPI": lambda: measure(constant, theirs)}
        return alternate(contestants, scale.rounds)
