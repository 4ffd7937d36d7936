"""Every initializer of the frameworks, as it is called there, and the fields of the same spec here."""

import functools
import math
from typing import NamedTuple

import jax
import keras
import numpy as np
import torch

from tests.clients.architectures.building import import_library
from tests.parity.recording import record_jax, record_torch


class Row(NamedTuple):
    """An initializer that draws each element alone: its call in its library, and the fields of a spec."""

    library: str
    call: str
    fields: dict


ROOT_FIVE, ROOT_TWO = math.sqrt(5), math.sqrt(2)
KERAS_SCALING = ("Glorot", "glorot"), ("He", "he"), ("Lecun", "lecun")
JAX_SCALING = ("glorot", "xavier", "he", "kaiming", "lecun")
MODES = ("fan_in", "fan_out", "fan_avg")
#: What transformers' lecun_normal_ divides σ by, and then cuts at ±2, not at ±2σ.
MISCUT = 0.87962566103423978

EXPLICIT = (
    Row("torch", "uniform_(w, 0.1, 0.3)", {"low": 0.1, "high": 0.3}),
    Row("torch", "normal_(w, 0.1, 0.02)", {"stddev": 0.02, "mean": 0.1}),
    Row(
        "torch",
        "trunc_normal_(w, 0.1, 0.02, 0.08, 0.13)",
        {"parent_stddev": 0.02, "mean": 0.1, "low": 0.08, "high": 0.13},
    ),
    Row("torch", "trunc_normal_(w, std=0.02)", {"parent_stddev": 0.02, "low": -2.0, "high": 2.0}),
    Row(
        "timm",
        "trunc_normal_(w, 0.1, 0.02, 0.08, 0.13)",
        {"parent_stddev": 0.02, "mean": 0.1, "low": 0.08, "high": 0.13},
    ),
    Row("timm", "trunc_normal_tf_(w, 0.1, 0.02)", {"parent_stddev": 0.02, "mean": 0.1}),
    Row(
        "timm",
        "trunc_normal_tf_(w, std=0.02, a=-3, b=1)",
        {"parent_stddev": 0.02, "lower": -3.0, "upper": 1.0},
    ),
    Row("transformers", "uniform_(w, -0.1, 0.1)", {"limit": 0.1}),
    Row("transformers", "normal_(w, std=0.02)", {"stddev": 0.02}),
    Row("transformers", "trunc_normal_(w, std=0.02)", {"parent_stddev": 0.02, "low": -2.0, "high": 2.0}),
    Row("keras", "RandomNormal(0.1, 0.02)", {"stddev": 0.02, "mean": 0.1}),
    Row("keras", "TruncatedNormal(0.1, 0.02)", {"parent_stddev": 0.02, "mean": 0.1}),
    Row("keras", "RandomUniform(0.1, 0.3)", {"low": 0.1, "high": 0.3}),
    Row("jax", "uniform(0.3)", {"low": 0.0, "high": 0.3}),
    Row("jax", "normal(0.02)", {"stddev": 0.02}),
    Row("jax", "truncated_normal(0.02)", {"parent_stddev": 0.02}),
    Row(
        "jax",
        "truncated_normal(0.02, lower=-1, upper=3)",
        {"parent_stddev": 0.02, "lower": -1.0, "upper": 3.0},
    ),
)
SCALED = (
    Row("torch", "xavier_uniform_(w)", {"scheme": "glorot_uniform"}),
    Row("torch", "xavier_uniform_(w, gain=5 / 3)", {"scheme": "glorot_uniform", "gain": 5 / 3}),
    Row("torch", "xavier_normal_(w)", {"scheme": "glorot_normal"}),
    Row("torch", "kaiming_uniform_(w)", {"scheme": "he_uniform"}),
    Row("torch", "kaiming_uniform_(w, a=5**0.5)", {"scheme": "he_uniform", "negative_slope": ROOT_FIVE}),
    Row("torch", "kaiming_uniform_(w, nonlinearity='tanh')", {"scheme": "lecun_uniform", "gain": 5 / 3}),
    Row("torch", "kaiming_normal_(w)", {"scheme": "he_normal"}),
    Row("torch", "kaiming_normal_(w, mode='fan_out')", {"scheme": "he_normal", "mode": "fan_out"}),
    Row("torch", "kaiming_normal_(w, nonlinearity='linear')", {"scheme": "lecun_normal"}),
    Row(
        "torch",
        "kaiming_normal_(w, mode='fan_out', nonlinearity='selu')",
        {"scheme": "lecun_normal", "mode": "fan_out", "gain": 3 / 4},
    ),
    *(
        Row(
            "timm",
            f"variance_scaling_(w, 0.5, '{mode}', '{distribution}')",
            {"scheme": "variance_scaling", "scale": 0.5, "mode": mode, "distribution": distribution},
        )
        for mode, distribution in zip(MODES, ("uniform", "normal", "truncated_normal"), strict=True)
    ),
    Row("timm", "lecun_normal_(w)", {"scheme": "lecun_truncated_normal"}),
    *(
        Row("transformers", f"{name}_(w)", {"scheme": same})
        for name, same in (
            ("xavier_uniform", "glorot_uniform"),
            ("xavier_normal", "glorot_normal"),
            ("kaiming_uniform", "he_uniform"),
            ("kaiming_normal", "he_normal"),
            ("default_flax_embed_init", "lecun_normal"),
        )
    ),
    *(
        Row("keras", f"{theirs}{theirs_kind}()", {"scheme": f"{scheme}_{kind}"})
        for theirs, scheme in KERAS_SCALING
        for theirs_kind, kind in (("Uniform", "uniform"), ("Normal", "truncated_normal"))
    ),
    *(
        Row(
            "keras",
            f"VarianceScaling(0.5, '{mode}', '{theirs}')",
            {"scheme": "variance_scaling", "scale": 0.5, "mode": mode, "distribution": distribution},
        )
        for mode, theirs, distribution in zip(
            MODES,
            ("uniform", "untruncated_normal", "truncated_normal"),
            ("uniform", "normal", "truncated_normal"),
            strict=True,
        )
    ),
    *(
        Row("jax", f"{name}_{theirs_kind}()", {"scheme": f"{name}_{kind}"})
        for name in JAX_SCALING
        for theirs_kind, kind in (("uniform", "uniform"), ("normal", "truncated_normal"))
    ),
    *(
        Row(
            "jax",
            f"variance_scaling(0.5, '{mode}', '{distribution}')",
            {"scheme": "variance_scaling", "scale": 0.5, "mode": mode, "distribution": distribution},
        )
        for mode, distribution in zip(
            (*MODES, "fan_geo_avg"), ("uniform", "normal", "truncated_normal", "normal"), strict=True
        )
    ),
)


class Valued(NamedTuple):
    """An initializer that sets a tensor as a whole: its call, the shape there, and the spec here."""

    library: str
    call: str
    shape: tuple[int, ...]
    spec: dict


#: Equal in every element.
CONSTANT = (
    Valued("torch", "constant_(w, 0.3)", (3, 4), {"constant": 0.3}),
    Valued("torch", "zeros_(w)", (3, 4), {"scheme": "zeros"}),
    Valued("torch", "ones_(w)", (3, 4), {"scheme": "ones"}),
    Valued("torch", "eye_(w)", (5, 7), {"scheme": "identity", "layout": "OI"}),
    Valued("torch", "dirac_(w)", (6, 4, 3, 3), {"scheme": "dirac", "layout": "OIHW"}),
    Valued("torch", "dirac_(w, groups=2)", (6, 4, 3), {"scheme": "dirac", "layout": "OIW", "groups": 2}),
    Valued("torch", "dirac_(w)", (6, 4, 2, 4), {"scheme": "dirac", "layout": "OIHW", "center": "torch"}),
    Valued("transformers", "constant_(w, 0.3)", (3, 4), {"constant": 0.3}),
    Valued("transformers", "zeros_(w)", (3, 4), {"scheme": "zeros"}),
    Valued("transformers", "ones_(w)", (3, 4), {"scheme": "ones"}),
    Valued("transformers", "eye_(w)", (5, 7), {"scheme": "identity", "layout": "OI"}),
    Valued("transformers", "dirac_(w)", (6, 4, 3, 3), {"scheme": "dirac", "layout": "OIHW"}),
    Valued("keras", "Constant(0.3)", (3, 4), {"constant": 0.3}),
    Valued("keras", "Zeros()", (3, 4), {"scheme": "zeros"}),
    Valued("keras", "Ones()", (3, 4), {"scheme": "ones"}),
    Valued("keras", "Identity(2.5)", (5, 7), {"scheme": "identity", "gain": 2.5}),
    Valued("jax", "constant(0.3)", (3, 4), {"constant": 0.3}),
    Valued("jax", "zeros", (3, 4), {"scheme": "zeros"}),
    Valued("jax", "ones", (3, 4), {"scheme": "ones"}),
)
#: Of the same distribution: the shorter side of a matrix is orthonormal.
ORTHOGONAL = (
    Valued("torch", "orthogonal_(w, gain=2)", (30, 70), {"layout": "OI", "gain": 2.0}),
    Valued("torch", "orthogonal_(w)", (40, 6, 3, 3), {"layout": "OIHW"}),
    Valued("transformers", "orthogonal_(w)", (70, 30), {"layout": "OI"}),
    Valued("keras", "Orthogonal(2.0)", (70, 30), {"layout": "IO", "gain": 2.0}),
    Valued("keras", "Orthogonal()", (3, 3, 6, 40), {"layout": "HWIO"}),
    Valued("jax", "orthogonal(2.0)", (30, 70), {"layout": "IO", "gain": 2.0}),
    Valued("jax", "orthogonal()", (3, 3, 6, 40), {"layout": "HWIO"}),
)
DELTA = Valued("jax", "delta_orthogonal(2.0)", (3, 4, 6, 9), {"layout": "HWIO", "gain": 2.0})
SPARSE = tuple(
    Valued(
        library,
        "sparse_(w, 0.85, std=0.02)",
        (90, 40),
        {"layout": "OI", "stddev": 0.02, "sparsity": 0.85, "sparsity_axis": "O"},
    )
    for library in ("torch", "transformers")
)

#: What the libraries have besides, and why it is in no row.
LEFT_OUT = {
    "torch": {"calculate_gain": "a gain, below"},
    "timm": {
        "init_weight_vit": "a recipe for a module",
        "init_weight_jax": "a recipe for a module",
    },
    "transformers": {
        "copy_": "copies a tensor",
        "lecun_normal_": "differs, below",
    },
    "keras": {"STFT": "the basis of a Fourier transform"},
    "jax": {},
}
MODULES = {
    "torch": "torch.nn.init",
    "timm": "timm.layers.weight_init",
    "transformers": "transformers.initialization",
    "keras": "keras.initializers",
    "jax": "jax.nn.initializers",
}
#: The frameworks whose axis order and count of fans a library has.
FRAMEWORKS = {"torch": "torch", "timm": "torch", "transformers": "torch", "keras": "keras", "jax": "jax"}


def initialize(library, call, shape, seed=0):
    """Run an initializer and return its tensor, in float64."""
    module = import_library(MODULES[library])
    if FRAMEWORKS[library] == "torch":
        w = torch.empty(shape, dtype=torch.float64)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            eval(f"module.{call}", {"module": module, "w": w})
        return w.numpy()
    made = eval(f"module.{call}", {"module": module})
    if library == "jax":
        with jax.enable_x64(True):
            return np.asarray(made(jax.random.key(seed), shape, "float64"))
    made.seed = seed
    return keras.ops.convert_to_numpy(made(shape, "float64"))


@functools.cache
def record(library, call, shape):
    """Return the distribution that an initializer draws from."""
    if library == "jax":
        module = import_library(MODULES[library])
        return record_jax(eval(f"module.{call}", {"module": module}), shape)
    import_library(MODULES[library])  # not in the record
    return record_torch(lambda: initialize(library, call, shape))
