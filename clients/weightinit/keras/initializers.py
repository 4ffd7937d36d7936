"""Keras initializers whose weights come from the service."""

import operator
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from fractions import Fraction
from typing import Any, ClassVar, Self, Unpack, cast

import keras
import numpy as np

from weightinit import Client, default_client
from weightinit.adapters.initializers import NAMED, SCALINGS, check_scaling
from weightinit.adapters.plan import read_seed
from weightinit.keras.layers import Tensor
from weightinit.spec.fields import LayerFields
from weightinit.spec.layer import Spec, refuse
from weightinit.spec.layouts import count_elements, has_layout, set_fans, spell_layout


def take_over(weights: np.ndarray[Any, Any], dtype: str) -> Tensor:
    """Return a tensor that owns an array, which nothing else may read or write."""
    taken: Tensor = weights
    match keras.backend.backend():
        case "jax":
            import jax  # noqa: PLC0415 - only that backend has it

            taken = jax.device_put(weights)
        case "torch" if dtype != "bfloat16":  # NumPy and PyTorch do not share bfloat16
            import torch  # noqa: PLC0415

            taken = torch.from_numpy(weights)
    return keras.ops.convert_to_tensor(taken, dtype=dtype)


_placeholders: ContextVar[bool] = ContextVar("weightinit.keras.placeholders", default=False)


class SharedWeights(UserWarning):
    """One initializer created two tensors, which are equal because seed and name are equal."""


@keras.saving.register_keras_serializable(package="weightinit")
class Initializer(keras.initializers.VarianceScaling):  # type: ignore[misc]  # Keras has no types
    """Weights from the service: a pure function of seed, name, shape and layer.

    The keywords are those of a layer spec: `activation`, `scheme`, `layout` and so on. The default is Glorot
    uniform, as in Keras. Use one initializer for one tensor, which `name` identifies; creating a second one
    warns of SharedWeights. Errors are the client's.

    The class derives from VarianceScaling, because all schemes of the service scale a variance. Therefore
    EinsumDense and MultiHeadAttention pass it the axes of their kernels. A layout takes precedence.

    Args:
        seed: 0 to 2⁶⁴ - 1, as a number or as decimal text.
        name: the tensor's name, such as `hidden1/kernel`; tensors with different names have different
            weights.
        input_axes: the numbers of the input axes; with `output_axes`, an alternative to `layout`.
        output_axes: the numbers of the output axes.
        client: the client that sends the requests; not serialized. Default: one that the environment
            configures.
        layer: the fields of the layer, as for `Client.weights`.
    """

    LAYER: ClassVar[LayerFields] = {}
    # The names of Keras' arguments by the fields that they set, where they differ.
    ARGUMENTS: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        *,
        seed: int | str,
        name: str,
        input_axes: list[int] | None = None,
        output_axes: list[int] | None = None,
        client: Client | None = None,
        **layer: Unpack[LayerFields],
    ) -> None:
        self.seed = seed if isinstance(seed, str) else operator.index(seed)
        read_seed(self.seed)
        check_scaling(layer)
        self.name = name
        self.input_axes = _read_axes("input_axes", input_axes)
        self.output_axes = _read_axes("output_axes", output_axes)
        self._said = layer
        self.client = client
        # The shape is a placeholder. An unknown keyword raises an error here.
        self._spec = Spec.of(1, seed=self.seed, name=name, **cast("LayerFields", {**self.LAYER, **layer}))
        self.uses = _Uses()
        self._kept: tuple[Spec, np.ndarray[Any, Any]] | None = None

    def __call__(self, shape: tuple[int, ...], dtype: str | None = None, layout: Any = None) -> Tensor:
        """Return a tensor of the backend.

        Args:
            shape: the kernel's shape.
            dtype: float32, float64, float16 or bfloat16. Default: keras.config.floatx().
            layout: how Keras distributes the tensor over devices, on the JAX backend: each device fetches its
                own part.
        """
        spec = self.specify(tuple(shape), keras.backend.standardize_dtype(dtype))
        if _placeholders.get():
            return keras.ops.full(spec.shape, float("nan"), dtype=spec.dtype)
        tracing = _is_tracing()
        if not tracing:
            self._count_use()
        if layout is not None:
            from weightinit.jax import sharded  # noqa: PLC0415 - only that backend has layouts

            return sharded(spec, layout, client=self.client)
        weights = self._fetch(spec, keep=tracing)
        if tracing:  # the same array is returned again
            return keras.ops.convert_to_tensor(weights, dtype=spec.dtype)
        return take_over(weights, spec.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the keywords that create this initializer again."""
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        given = {key: value for key, value in axes.items() if value is not None}
        said = {self.ARGUMENTS.get(name, name): value for name, value in self._said.items()}
        return _Config({"seed": self.seed, "name": self.name, **given, **said}, self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Create an initializer from what get_config returned."""
        made = cls(**config)
        if isinstance(config, _Config):
            made.uses, made.client = config.origin.uses, config.origin.client
        return made

    @property
    def scale(self) -> float | None:
        """The scale of the variance; None if it depends on the activation, or a spread is set directly."""
        slope, scale = self.fields.get("negative_slope"), self.fields.get("scale")
        if scale is None and slope is not None and self._scheme == "he":
            return 2 / (1 + slope * slope)
        return SCALINGS[self._scheme][0] if scale is None and self._scheme in SCALINGS else scale

    @property
    def mode(self) -> str | None:
        """The fan that divides the scale, as in Keras, or `fan_geo_avg`; None as for `scale`."""
        mode = self.fields.get("mode")
        return SCALINGS[self._scheme][1] if mode is None and self._scheme in SCALINGS else mode

    @property
    def distribution(self) -> str | None:
        """The service's name of the distribution, whose `normal` is not truncated; None if it depends."""
        row = NAMED.get(self._spec.scheme)
        given = self.fields.get("distribution")
        return row.distribution if given is None and row is not None else given

    @property
    def _scheme(self) -> str:
        """The scheme without its distribution."""
        row = NAMED.get(self._spec.scheme)
        return self._spec.scheme if row is None else row.scheme

    @property
    def fields(self) -> LayerFields:
        """The layer fields that this initializer sets."""
        return cast("LayerFields", {**self.LAYER, **self._said})

    def specify(self, shape: tuple[int, ...], dtype: str) -> Spec:
        """Return the spec of a tensor of this shape and dtype."""
        spec = replace(self._spec, shape=shape, dtype=dtype)
        if "layout" in self._said or self.input_axes is None or self.output_axes is None:
            return spec
        axes = describe_axes(shape, self.input_axes, self.output_axes)
        return Spec.of(spec, **cast("LayerFields", {**axes, **self._said}))

    def _fetch(self, spec: Spec, *, keep: bool) -> np.ndarray[Any, Any]:
        """Return the weights; those kept during shape inference are returned once more, then released."""
        if self._kept and self._kept[0] == spec:
            weights = self._kept[1]
        else:
            weights = (self.client or default_client()).weights(spec)
        self._kept = (spec, weights) if keep else None
        return weights

    def _count_use(self) -> None:
        self.uses.count += 1
        if self.uses.count == 2:
            message = (
                f"the initializer named {self.name!r} creates a second tensor, with the draws of the first: "
                "give each tensor an initializer with its own name, or name them all with "
                "weightinit.keras.initialize(model, seed)"
            )
            warnings.warn(message, SharedWeights, stacklevel=3)


class _Uses:
    """The number of tensors that an initializer and its clones have made."""

    def __init__(self) -> None:
        self.count = 0


class _Config(dict[str, Any]):
    """A configuration that refers to its initializer until it is serialized.

    MultiHeadAttention clones one initializer in memory for all its kernels, and EinsumDense to add axes.
    """

    def __init__(self, values: Mapping[str, Any], origin: Initializer) -> None:
        super().__init__(values)
        self.origin = origin


def describe_axes(shape: tuple[int, ...], inputs: list[int], outputs: list[int]) -> LayerFields:
    """Return the layout of a kernel, or the fans that Keras computes if it has none. Raises SpecRejected.

    As in Keras, the fans are the products of these axes, and other axes do not count.

    >>> describe_axes((6, 2, 3), [0], [1, 2]), describe_axes((4,), [], [0])
    ({'layout': 'IOO'}, {'layout': 'O', 'fan_in': 1, 'fan_out': 4})
    """
    rank = len(shape)
    fans = [Fraction(count_elements(shape, axes)) for axes in (inputs, outputs)]
    given = {axis % rank for axis in (*inputs, *outputs)}
    others = [axis for axis in range(rank) if axis not in given]
    if has_layout(rank, inputs, outputs, others):
        return {"layout": spell_layout(rank, inputs, outputs, others)}
    return set_fans(rank, *fans)


def _read_axes(field: str, axes: Iterable[int] | None) -> list[int] | None:
    if axes is None:
        return None
    try:
        return [operator.index(axis) for axis in axes]
    except TypeError:
        raise refuse(field, "must be a list of axes", axes) from None


@contextmanager
def placeholders() -> Iterator[None]:
    """Make initializers return NaN instead of weights from the service, for values that are overwritten.

    Load a saved model without the service:

        with weightinit.keras.placeholders():
            model = keras.saving.load_model("model.keras")
    """
    token = _placeholders.set(True)
    try:
        yield
    finally:
        _placeholders.reset(token)


def _is_tracing() -> bool:
    """Return whether Keras only infers shapes, and will request the same tensor again."""
    with keras.StatelessScope(initialize_variables=False) as scope:
        return scope.original_scope is not None
