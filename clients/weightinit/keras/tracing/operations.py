"""Tables of Keras' operations: the role of each in a graph (see `adapters.flow.graph.Role`).

Functions of keras.ops, their classes and layers share one normalized name, that of the class. A test compares
the table with all operations and layers of Keras, so that a new one is not missed. A layer that is not in the
table is traced by its call; an operation that is not has the role UNKNOWN.
"""

import re
from collections.abc import Callable
from typing import Any

from weightinit.adapters.flow.graph import Node, Role, Structure, collect_parameters, find_nodes
from weightinit.keras.layers import Operation

# fmt: off
_ROWS: dict[Role, str] = {
    Role.MOVE: """
        activityregularization adaptiveaveragepooling1d adaptiveaveragepooling2d adaptiveaveragepooling3d
        adaptivemaxpooling1d adaptivemaxpooling2d adaptivemaxpooling3d affinetransform alphadropout append
        array averagepool averagepooling1d averagepooling2d averagepooling3d broadcastto cast centercrop
        concatenate conj conjugate converttotensor copy cropimages cropping1d cropping2d cropping3d
        cutmix depthtospace diag diagflat diagonal diff dropout dstack elastictransform expanddims
        extractpatches extractsequences fakequantwithminmaxvars fft fft2 flatten flip fliplr flipud fold
        gaussianblur gaussiandropout gaussiannoise hstack identity ifft2 imag inputlayer irfft mapcoordinates
        masking maxpool maxpooling1d maxpooling2d maxpooling3d meshgrid mixup moveaxis nantonum pad padimages
        permute perspectivetransform randombrightness randomcontrast randomcrop randomelastictransform
        randomerasing randomflip randomgaussianblur randomperspective randomrotation randomshear
        randomtranslation randomzoom ravel real rearrange repeat repeatvector reshape resize resizing rfft
        roll rot90 saturatecast scaleandtranslate scatter scatterupdate sliceupdate sort spacetodepth
        spatialdropout1d spatialdropout2d spatialdropout3d squeeze stack stopgradient swapaxes tile topk
        transpose tril triu unfold upsampling1d upsampling2d upsampling3d view viewascomplex viewasreal
        vstack zeropadding1d zeropadding2d zeropadding3d
    """,
    Role.SPLIT: """
        arraysplit dsplit getitem hsplit slice split take takealongaxis unstack vsplit
    """,
    Role.NORM: """
        batchnorm batchnormalization groupnormalization layernorm layernormalization normalization normalize
        rmsnorm rmsnormalization unitnormalization
    """,
    Role.REDUCE: """
        adaptiveaveragepool adaptivemaxpool amax amin average cumsum globalaveragepooling1d
        globalaveragepooling2d globalaveragepooling3d globalmaxpooling1d globalmaxpooling2d
        globalmaxpooling3d logsumexp max mean median min nancumsum nanmax nanmean nanmedian nanmin
        nanpercentile nanquantile nansum percentile quantile segmentmax segmentmin segmentreduction
        segmentsum sum trapezoid
    """,
    Role.STATISTIC: """
        nanstd nanvar norm ptp std var
    """,
    Role.ADD: """
        add subtract
    """,
    Role.MULTIPLY: """
        divide dividenonan multiply truedivide
    """,
    Role.ELEMENTWISE: """
        abs absolute angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwiseand bitwiseinvert
        bitwiseleftshift bitwisenot bitwiseor bitwiserightshift bitwisexor cbrt ceil celu clip cos cosh
        deg2rad elu equal erf erfc erfinv exp exp2 expm1 fabs floor floordivide fmax fmin fmod gelu greater
        greaterequal hardshrink hardsigmoid hardsilu hardtanh heaviside hypot i0 isclose isfinite isinf isnan
        isneginf isposinf isreal ldexp leakyrelu leftshift less lessequal log log10 log1p log2 logaddexp
        logaddexp2 logicaland logicalnot logicalor logicalxor logsigmoid maximum minimum mish mod negative
        nextafter notequal power prelu rad2deg reciprocal relu relu6 rescaling rightshift round rsqrt select
        selu sigmoid sign signbit silu sin sinc sinh softplus softshrink softsign sparseplus sparsesigmoid
        sqrt square squareplus tan tanh tanhshrink threshold trunc where
    """,
    Role.ACTIVATION: """
        glu logsoftmax softmax sparsemax
    """,
    Role.PRODUCT: """
        additiveattention attention binarycrossentropy categoricalcrossentropy cdist conv convtranspose
        corrcoef correlate cross ctcdecode ctcloss depthwiseconv dot dotproductattention einsum inner istft
        kron matmul melspectrogram outer psnr separableconv sparsecategoricalcrossentropy ssim stft
        stftspectrogram tensordot vdot
    """,
    Role.IGNORED: """
        all allclose any arange argmax argmin argpartition argsort bincount categoryencoding countnonzero
        digitize discretization emptylike gcd geomspace hashedcrossing hashing histogram integerlookup intopk
        isin lcm linspace logspace multihot nanargmax nanargmin ndim nonzero onehot searchsorted size
        stringlookup textvectorization unique unravelindex
    """,
    # The effect on a signal is not known in general.
    Role.UNKNOWN: """
        associativescan augmix autocontrast cholesky choleskyinverse cond
        contrastlimitedadaptivehistogramequalization cumprod det eig eigh equalization flaxlayer foriloop
        hsvtorgb inv jaxlayer jvp logdet lstsq lufactor map matrixrank maxnumboundingboxes nancumprod nanprod
        pinv polar prod qr randaugment randomcolordegeneration randomcolorjitter randomgrayscale randomhue
        randominvert randomposterization randomsaturation randomsharpness rgbtograyscale rgbtohsv scan
        segmentprod slogdet sobeledges solarization solve solvetriangular svd switch tfsmlayer
        torchmodulewrapper trace vander vectorizedmap whileloop
    """,
}
# fmt: on

ROLES: dict[str, Role] = {name: role for role, names in _ROWS.items() for name in names.split()}

# Operations that are activations, and the service's name for each.
ACTIVATIONS = {
    "celu": "celu",
    "elu": "elu",
    "glu": "glu",
    "hardshrink": "hard_shrink",
    "hardsigmoid": "hard_sigmoid",
    "hardsilu": "hard_silu",
    "hardtanh": "hard_tanh",
    "leakyrelu": "leaky_relu",
    "logsigmoid": "log_sigmoid",
    "logsoftmax": "log_softmax",
    "mish": "mish",
    "prelu": "prelu",
    "relu": "relu",
    "relu6": "relu6",
    "selu": "selu",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "softmax": "softmax",
    "softplus": "softplus",
    "softshrink": "soft_shrink",
    "softsign": "softsign",
    "sparsemax": "sparsemax",
    "sparseplus": "sparse_plus",
    "sparsesigmoid": "sparse_sigmoid",
    "squareplus": "squareplus",
    "tanh": "tanh",
    "tanhshrink": "tanh_shrink",
    "threshold": "threshold",
}
# Arguments of Keras' ReLU that make it a leaky one, or one with an upper limit, with their defaults.
RELU_ARGUMENTS = {"negative_slope": 0.0, "max_value": None, "threshold": 0.0}

# Products that sum elements of one operand, weighted by the other.
MIXES = frozenset(["conv", "convtranspose", "depthwiseconv", "dot", "einsum", "inner", "matmul", "tensordot"])

# Functions that return constant tensors, and the value.
FILLS = {"zeroslike": 0.0, "oneslike": 1.0}


def make_node(
    operation: Operation,
    name: str,
    call: Callable[..., Any],
    arguments: tuple[Structure, ...],
    keywords: dict[str, Structure],
) -> Node:
    """Return the node of an operation, by its normalized name; nodes in the arguments stand for tensors."""
    inputs = tuple(dict.fromkeys(find_nodes((arguments, keywords))))
    role = ROLES.get(name, Role.UNKNOWN)
    tensor: Any = None
    if name == "einsum" and len(inputs) == 1:
        role = Role.MOVE  # it only permutes or sums
    if name in FILLS or name == "fulllike":  # it uses the shape of an input, but not its values
        value = next(
            (one for one in (*arguments[1:], *keywords.values()) if isinstance(one, int | float)), None
        )
        role, inputs, tensor = Role.CONSTANT, (), FILLS.get(name, value)
    parameters: frozenset[int] = frozenset()
    if role is Role.PRODUCT:
        parameters = collect_parameters(inputs)
        if name in MIXES and not any(source.is_constant for source in inputs):
            role = Role.MIX  # a constant may have been computed from a kernel
    elif inputs and all(source.role is Role.IGNORED for source in inputs):
        role = Role.IGNORED  # arithmetic with sizes
    elif inputs and all(source.is_constant or source.role is Role.IGNORED for source in inputs):
        role, parameters = Role.CONSTANT, collect_parameters(inputs)
    return Node(
        0,
        role,
        call=call,
        arguments=arguments,
        keywords=keywords,
        inputs=inputs,
        activation=name_activation(operation, name),
        tensor=tensor,
        parameters=parameters,
    )


def name_activation(operation: Operation, name: str) -> str | None:
    """Return the name of an operation's activation; None if its values determine it, or it is none.

    >>> import keras
    >>> name_activation(keras.layers.ELU(), "elu"), name_activation(keras.layers.ReLU(6.0), "relu")
    ('elu', None)
    """
    if name == "relu" and any(
        getattr(operation, argument, plain) not in {plain, None} for argument, plain in RELU_ARGUMENTS.items()
    ):
        return None
    return ACTIVATIONS.get(name)


def spell(name: str) -> str:
    """Convert the name of a class to that of a function.

    >>> spell("HardSigmoid"), spell("ReLU"), spell("Conv2D")
    ('hard_sigmoid', 'relu', 'conv2d')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()
