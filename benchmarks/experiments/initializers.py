"""Initializers: the kernel of a Dense(4096 → 16384) in Keras, on the backend that KERAS_BACKEND names."""

from itertools import count

import keras
from weightinit.keras import HeTruncatedNormal, Initializer

from benchmarks.experiments.draws import MILLION, OURS
from benchmarks.experiments.transfer import make_client
from benchmarks.measure import Figures, alternate, measure_rate
from benchmarks.peers.keras_backend import make_draw
from benchmarks.scale import Scale
from benchmarks.servers import run_service


def race_keras(scale: Scale) -> Figures:
    """Race Keras' own HeNormal, all cores: truncated. Each draw is of a new layer's initializer."""
    shape = scale.pick((4096, 16384), (256, 1024))
    numbers = count()
    with run_service() as service, make_client(service) as client:

        def make_ours() -> Initializer:
            return HeTruncatedNormal(seed=42, name=f"dense_{next(numbers)}/kernel", client=client)

        amount = shape[0] * shape[1] / MILLION
        contestants = {
            OURS: measure_rate(make_draw(make_ours, shape), amount),
            "Keras": measure_rate(make_draw(keras.initializers.HeNormal, shape), amount),
        }
        return alternate(contestants, scale.rounds)
