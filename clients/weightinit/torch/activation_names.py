"""Operations: which of them are activations, and which let a signal through on its way to one.

Modules, functions and methods of a traced graph go by one name, that of the class or function, folded:
nn.LeakyReLU and F.leaky_relu share a row. The service knows activations by the same names.
"""

# fmt: off
ACTIVATIONS = frozenset([
    "celu", "elu", "gelu", "glu", "gumbelsoftmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh",
    "leakyrelu", "logsigmoid", "logsoftmax", "mish", "prelu", "relu", "relu6", "rrelu", "selu", "sigmoid",
    "silu", "softmax", "softmax2d", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink",
    "threshold",
])
# fmt: on
# Names that libraries give to an activation of their own: timm, transformers, torchvision.
ALIASES = {
    "expit": "sigmoid",
    "fastgelu": "gelu_tanh",
    "gelutanh": "gelu_tanh",
    "hardmish": "hard_mish",
    "hardsilu": "hard_silu",
    "hsigmoid": "hard_sigmoid",
    "hswish": "hard_swish",
    "newgelu": "gelu_tanh",
    "pytorchgelutanh": "gelu_tanh",
    "quickgelu": "quick_gelu",
    "swish": "silu",
}
# The linear half of a gated unit, by the activation of the other half (Shazeer 2020).
GATED = {
    "sigmoid": "glu",
    "hardsigmoid": "glu",
    "relu": "reglu",
    "gelu": "geglu",
    "gelu_tanh": "geglu",
    "silu": "swiglu",
}

# What moves, scales, thins out or adds up a signal, and keeps what is around zero around zero.
# fmt: off
PASSING = frozenset([
    "add", "cat", "chunk", "clone", "concat", "contiguous", "detach", "expand", "flatten", "float", "fold",
    "getitem", "half", "iadd", "identity", "interpolate", "mean", "movedim", "narrow", "neg", "permute",
    "pixelshuffle", "reshape", "roll", "split", "squeeze", "stack", "stochasticdepth", "sub", "sum",
    "swapaxes", "t", "to", "transpose", "typeas", "unbind", "unflatten", "unfold", "unsqueeze", "upsample",
    "view", "viewas",
])
# fmt: on
# The same, by a part of the name: MaxPool2d, Dropout, layer_norm, ZeroPad2d, DropPath.
PASSING_PARTS = ("pool", "dropout", "droppath", "norm", "pad")
# Here a signal ends: what comes after works on another.
PRODUCTS = frozenset(["baddbmm", "bmm", "einsum", "linear", "matmul", "scaleddotproductattention"])
# These let the signal through where the other operand is a number or a parameter.
SCALING = frozenset(["mul", "imul", "multiply", "truediv", "div"])


def fold(name: str) -> str:
    """Fold the name of a class or function.

    >>> fold("LeakyReLU"), fold("relu_"), fold("NewGELUActivation")
    ('leakyrelu', 'relu', 'newgelu')
    """
    return name.lower().replace("_", "").removesuffix("activation")


def find_activation(name: str) -> str | None:
    """Find the activation that a folded name stands for."""
    return name if name in ACTIVATIONS else ALIASES.get(name)


def is_passing(name: str) -> bool:
    """Tell whether an operation, by its folded name, lets a signal through."""
    return name in PASSING or any(part in name for part in PASSING_PARTS)
