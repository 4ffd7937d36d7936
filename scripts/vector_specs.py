"""Specs of the fields beside scale, mode and distribution, for make_vectors.py: each is a query's fields."""

from collections.abc import Iterator
from itertools import cycle, product

SCHEMES = ("glorot", "he", "lecun", "variance_scaling")
MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
DISTRIBUTIONS = ("uniform", "normal", "truncated_normal")
DTYPES = ("float32", "float64", "float16", "bfloat16")
#: Short layouts, transposed and grouped convolutions, depthwise and stacked kernels, attention.
LAYOUTS: tuple[dict[str, object], ...] = (
    {"shape": "7", "layout": "keras", "fan_in": 5, "fan_out": 7},
    {"shape": "5,4", "layout": "keras"},
    {"shape": "5,4", "layout": "torch"},
    {"shape": "3,5,2", "layout": "keras"},
    {"shape": "2,5,3", "layout": "torch"},
    {"shape": "2,3,5,2", "layout": "keras"},
    {"shape": "2,5,2,3", "layout": "torch"},
    {"shape": "2,1,3,5,2", "layout": "keras"},
    {"shape": "2,5,2,1,3", "layout": "torch"},
    {"shape": "2,3,4,5", "layout": "HWOI"},
    {"shape": "5,4,2,3", "layout": "IOHW"},
    {"shape": "6,2,2,3", "layout": "torch", "groups": 3},
    {"shape": "3,2,5,2", "layout": "HWGO"},
    {"shape": "3,5,4", "layout": "GIO"},
    {"shape": "5,3,2,2", "layout": "IBOO"},
    {"shape": "2,3,2,5", "layout": "GBOI"},
    {"shape": "6,2,3", "layout": "IOO"},
)
ACTIVATIONS = """
    none linear identity tanh sigmoid logistic hard_sigmoid sparse_sigmoid hard_tanh softsign softmax
    softmax2d softmin log_softmax gumbel_softmax sparsemax exponential relu relu6 leaky_relu prelu rrelu
    elu celu gelu gelu_tanh quick_gelu silu swish hard_silu hard_swish mish hard_mish softplus
    squareplus sparse_plus log_sigmoid threshold hard_shrink soft_shrink tanh_shrink glu reglu geglu
    swiglu selu sin laplace gelu_10 gelu_python gelu_new gelu_pytorch_tanh gelu_python_tanh gelu_fast
    gelu_accurate relu_squared relu2 xielu sqrtsoftplus
"""
#: Activations that have moments, without those of the names above that only stand for another.
OUTPUTS = ("softmax", "softmax2d", "softmin", "log_softmax", "gumbel_softmax", "sparsemax")
PARAMETERS = {
    "leaky_relu": ("0.2", "-1.5", "1e6", "1e-9"),
    "prelu": ("0.1",),
    "rrelu": ("0.2", "0.1,0.3", "-0.3,0.7"),
    "elu": ("0.3", "1.6732632423543772"),
}
GAINS = (0.1, 5 / 3, 2**0.5, 1e-3)
STRIDES: tuple[dict[str, object], ...] = (
    {"shape": "2,3,5,6", "layout": "HWIO", "stride": "2"},
    {"shape": "6,5,3,2", "layout": "OIHW", "stride": "2,3", "groups": 3},
    {"shape": "2,5,3", "layout": "OIW", "stride": "7"},
    {"shape": "3,2,4,6", "layout": "HWOI", "stride": "2,7", "transposed": "true", "groups": 2},
    {"shape": "6,4,3", "layout": "IOW", "stride": "3", "transposed": "true"},
    {"shape": "2,1,3,5,2", "layout": "DHWIO", "stride": "2,1,3"},
    {"shape": "3,2,5,2", "layout": "HWGO", "stride": "65536,65535"},
    {"shape": "5,4", "layout": "IO", "stride": "1", "transposed": "false"},
)
#: Ends in σ: symmetric, skewed, narrow, in a tail, one-sided, with little more mass than is allowed.
CUTS = (
    (-3, 3),
    (-0.3, 5),
    (2.5, 2.6),
    (0, 1e300),
    (-1e300, 1),
    (-1e300, 1e300),
    (-6, -4),
    (4.76, 40),
    (-1e-6, 1.4e-6),
    (-2, 2.0000000000000004),
    (-17.5, 0.25),
    (-2, 2),
)
MEANS = (0.1, -3.7, 1e-9)
#: low, high, and those with a mean and a σ before the cut. The last is cut at ±2σ.
INTERVALS = ((0, 1), (-0.1, 0.3), (-5e-8, 5e-8), (1, 1.01), (-1000, 1e-3), (0.25, 0.75))
CUT_INTERVALS = ((-2, 2, 0, 1), (-0.1, 0.5, 0.3, 0.2), (0, 9, 0, 0.02), (-0.5, 0.5, 0, 0.25))
#: Kernels for matrices of a given structure: squares and not, stacked, of attention, and several blocks.
MATRICES: tuple[dict[str, object], ...] = (
    {"shape": "5,4", "layout": "IO"},
    {"shape": "5,4", "layout": "OI"},
    {"shape": "70,40", "layout": "IO"},
    {"shape": "33,33", "layout": "OI", "slice": "30:,:7"},
    {"shape": "3,5,4", "layout": "GIO"},
    {"shape": "6,2,3", "layout": "IOO"},
)
SPACES: tuple[dict[str, object], ...] = (
    {"shape": "3,5,6", "layout": "WIO"},
    {"shape": "6,5,4", "layout": "OIW"},
    {"shape": "2,3,4,5", "layout": "HWIO"},
    {"shape": "5,5,4,2", "layout": "OIHW"},
    {"shape": "2,1,3,2,3", "layout": "DHWIO"},
    {"shape": "3,2,5,2", "layout": "HWGO"},
    {"shape": "3,4,6,5", "layout": "OIHW", "slice": "1:,2:,2:4,1:3"},
)
CONSTANTS = {
    "float64": (0.1, -1e300, 5e-324),
    "float32": (0.1, -2.5, 1e-45, 3.4e38),
    "float16": (0.1, -2.5, 6e-8, 65503.99),
    "bfloat16": (0.1, -2.5, 1e-40, 3.38e38),
}
ALL: dict[str, object] = {"shape": "7,5", "seed": 42, "name": "vectors"}
TRUNCATED: dict[str, object] = {"distribution": "truncated_normal"}
REFUSED: tuple[dict[str, object], ...] = (
    {"scheme": "he", "mean": 1.0},
    {"scheme": "he", "lower": -3.0},
    {"scheme": "he", **TRUNCATED, "lower": 3.0},
    {"scheme": "he", **TRUNCATED, "lower": 4.77, "upper": 1e300},
    {"scheme": "he", **TRUNCATED, "lower": 1.0, "upper": 1.0000001},
    {"scheme": "he", "activation_parameter": 0.1},
    {"scheme": "he", "gain": 0.0},
    {"scheme": "he", "sparsity": 0.5},
    {"scheme": "he", "center": "torch"},
    {"scheme": "he", "stride": 2},
    {"scheme": "he", "transposed": "true"},
    {"scheme": "he", "shape": "3,3,4,4", "stride": "2,3,4"},
    {"scheme": "he", "shape": "3,3,4,4", "stride": "0"},
    {"scheme": "he", "shape": "3,3,4,6", "layout": "HWIO", "transposed": "true", "groups": 3},
    {"scheme": "he", "fans_as": "torch", "groups": 1, "shape": "7"},
    {"scheme": "he", "fans_as": "torch", "fan_in": 3},
    {"scheme": "he", "fans_as": "jax", "groups": 5},
    {"scheme": "preserve", "activation": "softmax"},
    {"scheme": "preserve", "activation": "relu", "activation_parameter": 0.1},
    {"scheme": "preserve", "activation": "leaky_relu", "activation_parameter": "0.1,0.2"},
    {"scheme": "preserve", "activation": "leaky_relu", "activation_parameter": 2e6},
    {"stddev": 0.1, "gain": 2.0},
    {"stddev": 0.1, "limit": 0.1},
    {"stddev": 0.1, "lower": -3.0},
    {"stddev": 0.1, "low": -1.0, "high": 1.0},
    {"stddev": 0.1, "fans_as": "keras"},
    {"stddev": 1.0, "mean": 65500.0, "dtype": "float16"},
    {"limit": 1e-6, "mean": 1.0001, "dtype": "float16"},
    {"low": 0.0},
    {"high": 1.0},
    {"low": 1.0, "high": 1.0},
    {"low": 0.0, "high": 1.0, "mean": 0.5},
    {"low": 0.0, "high": 1.0, "distribution": "normal"},
    {"low": 0.0, "high": 1.0, **TRUNCATED},
    {"low": 0.0, "high": 1.0, "scale": 2.0},
    {"low": 0.0, "high": 1.0, "mode": "fan_in"},
    {"low": 0.0, "high": 1.0, "gain": 2.0},
    {"low": 0.0, "high": 1.0, "fan_in": 3},
    {"low": 0.0, "high": 1.0, "parent_stddev": 1e6},
    {"low": 0.0, "high": 1.0, "parent_stddev": 1.0, "upper": 3.0},
    {"low": 1.0001, "high": 1.0002, "dtype": "float16"},
    {"scheme": "explicit"},
    {"scheme": "orthogonal", "scale": 2.0},
    {"scheme": "orthogonal", "groups": 5},
    {"scheme": "orthogonal", "shape": "7", "layout": "O"},
    {"scheme": "orthogonal", "distribution": "normal"},
    {"scheme": "delta_orthogonal"},
    {"scheme": "delta_orthogonal", "shape": "3,5,4", "layout": "WIO"},
    {"scheme": "identity", "shape": "3,4,5", "layout": "WIO"},
    {"scheme": "dirac"},
    {"scheme": "dirac", "shape": "3,4,5", "layout": "WIO", "groups": 2},
    {"scheme": "dirac", "shape": "3,4,5", "layout": "WIO", "transposed": "true"},
    {"scheme": "sparse", "sparsity": 0.5},
    {"scheme": "sparse", "stddev": 0.1},
    {"scheme": "sparse", "stddev": 0.1, "sparsity": 0.95},
    {"scheme": "sparse", "stddev": 0.1, "sparsity": 1.0},
    {"scheme": "sparse", "stddev": 0.1, "sparsity": 0.5, "mean": 1.0},
    {"scheme": "constant"},
    {"scheme": "zeros", "constant": 0.0},
    {"constant": 1.0, "scale": 2.0},
    {"constant": 65504.0, "dtype": "float16"},
    {"constant": 1.0, "stddev": 1.0},
)


def list_scaled() -> Iterator[dict[str, object]]:
    """Yield queries of schemes with a fan: preserve, gains, strides, the fans of frameworks, and cuts."""
    kinds = cycle(product(DISTRIBUTIONS, DTYPES))
    preserve = {**ALL, "scheme": "preserve", "dtype": "float64"}
    names = [name for name in ACTIVATIONS.split() if name not in OUTPUTS]
    yield from ({**preserve, "activation": name, "mode": mode} for name, mode in product(names, MODES))
    for name, values in PARAMETERS.items():
        fields = {**preserve, "activation": name}
        yield from ({**fields, "activation_parameter": value, "mode": "fan_avg"} for value in values)
    for layout, scheme in product(LAYOUTS, ("preserve_normal", "preserve_uniform")):
        yield {
            **layout,
            "scheme": scheme,
            "activation": "tanh",
            "gain": 1.7,
            "seed": 42,
            "mode": "fan_geo_avg",
        }
    for scheme, gain in product((*SCHEMES, "preserve"), GAINS):
        distribution, dtype = next(kinds)
        yield {**ALL, "scheme": scheme, "gain": gain, "distribution": distribution, "dtype": dtype}
    for stride, mode in product(STRIDES, MODES):
        distribution, dtype = next(kinds)
        yield {
            **stride,
            "scheme": "he",
            "mode": mode,
            "distribution": distribution,
            "dtype": dtype,
            "seed": 42,
        }
    for layout, framework in product(LAYOUTS[1:], ("keras", "torch", "jax")):
        shape = {name: layout[name] for name in ("shape", "layout")}
        yield {**shape, "scheme": "glorot", "fans_as": framework, "dtype": next(kinds)[1], "seed": 42}
    yield {"shape": "7", "scheme": "glorot", "fans_as": "keras", "seed": 42}
    for (lower, upper), dtype in product(CUTS, DTYPES):
        yield {**ALL, "scheme": "he", **TRUNCATED, "lower": lower, "upper": upper, "dtype": dtype}
        yield {**ALL, "stddev": 0.3, **TRUNCATED, "lower": lower, "upper": upper, "dtype": dtype}
        yield {**ALL, "parent_stddev": 0.3, "lower": lower, "upper": upper, "dtype": dtype}
    yield {**ALL, "scheme": "he_truncated_normal", "upper": 0.5}
    yield {**ALL, "scheme": "preserve_truncated_normal", "lower": -5.0, "gain": 0.5}


def list_placed() -> Iterator[dict[str, object]]:
    """Yield queries with a mean, and with low and high."""
    for mean, dtype, distribution in product(MEANS, DTYPES, DISTRIBUTIONS):
        yield {**ALL, "stddev": 0.3, "mean": mean, "dtype": dtype, "distribution": distribution}
    for mean, dtype in product(MEANS, DTYPES):
        yield {**ALL, "limit": 0.3, "mean": mean, "dtype": dtype}
        yield {**ALL, "parent_stddev": 0.3, "mean": mean, "dtype": dtype}
        yield {**ALL, "parent_stddev": 0.3, "mean": mean, "dtype": dtype, "lower": -1.0, "upper": 4.0}
    for (low, high), dtype in product(INTERVALS, DTYPES):
        yield {**ALL, "low": low, "high": high, "dtype": dtype}
    for (low, high, mean, stddev), dtype in product(CUT_INTERVALS, DTYPES):
        yield {**ALL, "low": low, "high": high, "mean": mean, "parent_stddev": stddev, "dtype": dtype}
    large = {
        "shape": f"{2**31},3,{2**29}",
        "layout": "OWI",
        "seed": 42,
        "slice": f"{2**31 - 3}:,:,{2**29 - 3}:",
    }
    for fields in (
        {"low": -0.1, "high": 0.3},
        {"stddev": 1.0, "mean": 2.0},
        {"parent_stddev": 1.0, "upper": 0.5},
    ):
        yield from ({**large, **fields, "dtype": dtype} for dtype in DTYPES)


def list_structured() -> Iterator[dict[str, object]]:
    """Yield queries of matrices of a given structure, sparse tensors and constants."""
    kernels = (*MATRICES, *SPACES)
    for kernel, dtype in product(kernels, DTYPES):
        yield {**kernel, "scheme": "orthogonal", "gain": 1.3, "dtype": dtype, "seed": 42}
        for axis, sparsity in (("I", 0.35), ("O", 0.6)):
            sparse = {"scheme": "sparse", "stddev": 0.1, "sparsity": sparsity, "sparsity_axis": axis}
            yield {**kernel, **sparse, "dtype": dtype, "seed": 42, "name": "sparse"}
        scheme = {"scheme": "dirac" if kernel in SPACES else "identity"}
        yield {**kernel, **scheme, "gain": 0.3, "dtype": dtype}
    for kernel, center in product(SPACES, ("same", "torch")):
        yield {**kernel, "scheme": "dirac", "center": center}
        if kernel["shape"] not in {"5,5,4,2", "3,4,6,5"}:
            delta = {"scheme": "delta_orthogonal", "center": center, "seed": 42}
            yield from ({**kernel, **delta, "dtype": dtype} for dtype in DTYPES)
    for groups in (2, 3, 6):
        yield {"shape": "6,2,3,3", "layout": "OIHW", "scheme": "dirac", "groups": groups}
    yield {"shape": f"{2**31},{2**31}", "scheme": "eye", "slice": f"{2**31 - 3}:,{2**31 - 4}:"}
    yield from ({**ALL, "scheme": "sparse", "stddev": 0.1, "sparsity": value} for value in (0.0, 1 / 3, 0.8))
    for dtype in DTYPES:
        yield from ({**ALL, "constant": value, "dtype": dtype} for value in CONSTANTS[dtype])
        yield from ({**ALL, "scheme": scheme, "dtype": dtype} for scheme in ("zeros", "ones"))
    yield {"shape": f"{2**40}", "constant": -0.0, "slice": f"{2**40 - 5}:"}


def list_fields() -> Iterator[dict[str, object]]:
    """Yield the fields of each query."""
    yield from list_scaled()
    yield from list_placed()
    yield from list_structured()
    yield from ({**ALL, **fields} for fields in REFUSED)
