"""A pytest plugin that runs a framework's own tests with this client's initializers instead of its own.

docs/parity.md has the commands. The tests draw from the service of WEIGHTINIT_URL.
"""

import itertools

import pytest
from weightinit.adapters.initializers import NAMED

NAMES = itertools.count()


def pytest_addoption(parser):
    """Add the option."""
    parser.addoption("--substitute", choices=sorted(SUBSTITUTES), help="the framework to change")


def pytest_configure(config):
    """Replace the initializers before any test imports them."""
    framework = config.getoption("--substitute")
    if framework is None:
        raise pytest.UsageError("--substitute must name a framework")
    SUBSTITUTES[framework]()


def substitute_jax():
    """Replace those of jax.nn.initializers that draw from a scaled distribution, also for Flax."""
    import jax
    import weightinit.jax

    theirs = jax.nn.initializers

    def normal(stddev=1e-2, dtype=None):
        return weightinit.jax.initializer(stddev=float(stddev), dtype=dtype)

    def truncated_normal(stddev=1e-2, dtype=None, lower=-2.0, upper=2.0):
        assert (lower, upper) == (-2.0, 2.0)
        return weightinit.jax.initializer(parent_stddev=float(stddev), dtype=dtype)

    for name in NAMED:
        if not name.endswith("_truncated_normal"):
            # JAX's `normal` is truncated.
            same = name.replace("_normal", "_truncated_normal")
            for alias in (name, *NAMED[name].aliases):
                setattr(theirs, alias, getattr(weightinit.jax, same))
    theirs.variance_scaling = weightinit.jax.variance_scaling
    theirs.normal, theirs.truncated_normal = normal, truncated_normal


def substitute_keras():
    """Replace Keras' initializers that scale a variance, by name and by class."""
    import keras
    import weightinit.keras
    from keras.src import initializers

    def name_it(kind):
        class Named(kind):
            """An initializer whose seed and name may be left out, as in Keras."""

            def __init__(self, *given, seed=None, name=None, **layer):
                fields = {"seed": 0 if seed is None else seed, "name": name or f"tensor{next(NAMES)}"}
                super().__init__(*given, **fields, **layer)

        Named.__name__ = kind.__name__
        return keras.saving.register_keras_serializable(package="substituted")(Named)

    for scheme, distribution in itertools.product(("Glorot", "He", "Lecun"), ("Uniform", "Normal")):
        same = f"{scheme}{distribution.replace('Normal', 'TruncatedNormal')}"
        kind = name_it(getattr(weightinit.keras, same))
        for place in (keras.initializers, initializers):
            setattr(place, f"{scheme}{distribution}", kind)
        initializers.ALL_OBJECTS_DICT[f"{scheme}_{distribution}".lower()] = kind
    kind = name_it(weightinit.keras.VarianceScaling)
    keras.initializers.VarianceScaling = initializers.VarianceScaling = kind


def substitute_torch():
    """Replace the functions of torch.nn.init that have an equal here."""
    import torch
    from weightinit.torch import init_, variance_scaling_

    theirs = torch.nn.init

    def draw(tensor, **layer):
        return init_(tensor, seed=0, name=f"tensor{next(NAMES)}", **layer)

    def xavier(distribution):
        def fill(tensor, gain=1.0, generator=None):
            name = f"tensor{next(NAMES)}"
            return variance_scaling_(tensor, gain**2, "fan_avg", distribution, seed=0, name=name)

        return fill

    def kaiming(distribution):
        def fill(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
            scheme = f"he_{distribution}"
            return draw(tensor, scheme=scheme, negative_slope=a, mode=mode)

        return fill

    def normal_(tensor, mean=0.0, std=1.0, generator=None):
        drawn = draw(tensor, stddev=std)
        with torch.no_grad():
            return drawn.add_(mean)

    def uniform_(tensor, a=0.0, b=1.0, generator=None):
        drawn = draw(tensor, limit=(b - a) / 2)
        with torch.no_grad():
            return drawn.add_((a + b) / 2)

    theirs.xavier_uniform_, theirs.xavier_normal_ = xavier("uniform"), xavier("normal")
    theirs.kaiming_uniform_, theirs.kaiming_normal_ = kaiming("uniform"), kaiming("normal")
    theirs.normal_, theirs.uniform_ = normal_, uniform_


SUBSTITUTES = {"jax": substitute_jax, "keras": substitute_keras, "torch": substitute_torch}
