"""Named initializers for Keras, with the names and arguments of keras.initializers where it has them."""

from typing import Any, ClassVar

import keras

from weightinit.adapters.initializers import NAMED, VALUES, read_distribution
from weightinit.keras.initializers import Initializer
from weightinit.spec.fields import LayerFields


class VarianceScaling(Initializer):
    """Weights of variance σ² = scale / fan, with Keras' arguments and the service's defaults.

    Args:
        scale: positive.
        mode: `fan_in`, `fan_out`, `fan_avg` or `fan_geo_avg`.
        distribution: `uniform`, `normal` or `truncated_normal`; `untruncated_normal` is `normal`.
        named: `seed`, `name` and the rest, as for Initializer.
    """

    LAYER: ClassVar[LayerFields] = {"scheme": "variance_scaling"}

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "uniform",
        **named: Any,
    ) -> None:
        super().__init__(scale=scale, mode=mode, distribution=read_distribution(distribution), **named)


def make_named_initializer(name: str) -> type[Initializer]:
    """Return the initializer class for a row of NAMED.

    >>> make_named_initializer("he_normal").__name__
    'HeNormal'
    """
    row = NAMED[name]
    layer = LayerFields(scheme=row.name)
    body = {"LAYER": layer, "__doc__": row.describe(), "__module__": __name__}
    return type(row.name.title().replace("_", ""), (Initializer,), body)


GlorotUniform = XavierUniform = make_named_initializer("glorot_uniform")
GlorotNormal = XavierNormal = make_named_initializer("glorot_normal")
GlorotTruncatedNormal = XavierTruncatedNormal = make_named_initializer("glorot_truncated_normal")
HeUniform = KaimingUniform = make_named_initializer("he_uniform")
HeNormal = KaimingNormal = make_named_initializer("he_normal")
HeTruncatedNormal = KaimingTruncatedNormal = make_named_initializer("he_truncated_normal")
LecunUniform = make_named_initializer("lecun_uniform")
LecunNormal = make_named_initializer("lecun_normal")
LecunTruncatedNormal = make_named_initializer("lecun_truncated_normal")
PreserveUniform = make_named_initializer("preserve_uniform")
PreserveNormal = make_named_initializer("preserve_normal")
PreserveTruncatedNormal = make_named_initializer("preserve_truncated_normal")


class Orthogonal(Initializer):
    """An orthogonal matrix times the gain; the shorter side of the flattened kernel is orthonormal.

    Gates that a recurrent kernel packs are one matrix here, as in Keras; `initialize` draws each.
    """

    LAYER = VALUES["orthogonal"].layer

    def __init__(self, gain: float = 1.0, **named: Any) -> None:
        super().__init__(gain=gain, **named)


class DeltaOrthogonal(Initializer):
    """An orthogonal matrix at the centre of a convolution's kernel, times the gain; zeros elsewhere."""

    LAYER = VALUES["delta_orthogonal"].layer

    def __init__(self, gain: float = 1.0, **named: Any) -> None:
        super().__init__(gain=gain, **named)


class Identity(Initializer):
    """The gain on the diagonal of a matrix, zeros elsewhere."""

    LAYER = VALUES["identity"].layer

    def __init__(self, gain: float = 1.0, **named: Any) -> None:
        super().__init__(gain=gain, **named)


class Dirac(Initializer):
    """The kernel of a convolution that repeats its input channels, times the gain.

    The centre is the tap (k - 1) // 2 of k, or k // 2 with `center="torch"`.
    """

    LAYER = VALUES["dirac"].layer

    def __init__(self, gain: float = 1.0, **named: Any) -> None:
        super().__init__(gain=gain, **named)


class Sparse(Initializer):
    """A normal of σ = `stddev` with ceil(sparsity · n) zeros among the n inputs of each output.

    With `sparsity_axis="O"` the zeros are among the outputs of each input, as in PyTorch.
    """

    LAYER = VALUES["sparse"].layer

    def __init__(self, sparsity: float, stddev: float = 0.01, **named: Any) -> None:
        super().__init__(sparsity=sparsity, stddev=stddev, **named)


class RandomNormal(Initializer):
    """A normal of mean and σ = `stddev`, not truncated."""

    LAYER = VALUES["normal"].layer

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, **named: Any) -> None:
        super().__init__(mean=mean, stddev=stddev, **named)


class TruncatedNormal(Initializer):
    """A normal of mean and `stddev`, then truncated at ±2 `stddev` from the mean unless `lower`, `upper` say.

    As in Keras, `stddev` is σ before the truncation.
    """

    LAYER = VALUES["truncated_normal"].layer
    ARGUMENTS: ClassVar[dict[str, str]] = {"parent_stddev": "stddev"}

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, **named: Any) -> None:
        super().__init__(mean=mean, parent_stddev=stddev, **named)


class RandomUniform(Initializer):
    """A uniform distribution on [minval, maxval)."""

    LAYER = VALUES["uniform"].layer
    ARGUMENTS: ClassVar[dict[str, str]] = {"low": "minval", "high": "maxval"}

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, **named: Any) -> None:
        super().__init__(low=minval, high=maxval, **named)


class Constant(Initializer):
    """One value everywhere."""

    LAYER = VALUES["constant"].layer
    ARGUMENTS: ClassVar[dict[str, str]] = {"constant": "value"}

    def __init__(self, value: float = 0.0, **named: Any) -> None:
        super().__init__(constant=value, **named)


class Zeros(Initializer):
    """Zeros everywhere."""

    LAYER = VALUES["zeros"].layer


class Ones(Initializer):
    """Ones everywhere."""

    LAYER = VALUES["ones"].layer


for kind in Initializer.__subclasses__():
    keras.saving.register_keras_serializable(package="weightinit")(kind)
