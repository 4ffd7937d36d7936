"""Parsing: validate the JSON of a request and resolve it to a model."""

from collections.abc import Mapping
from itertools import islice
from typing import NamedTuple, TypeVar

from service.core.errors import (
    MAX_ERRORS,
    MISSING,
    FieldError,
    SpecError,
    make_spec_error,
    name_tensor,
)
from service.core.layer.parameters import resolve_parameters
from service.core.layer.spec import LayerSpec, check_element_count
from service.core.layer.spread import merge_defaults
from service.core.models.model import Constant, Drawn, Model, ModelTensor, Part, Values
from service.core.models.repeats import find_repeats
from service.core.models.specs import (
    ConstantSpec,
    Fields,
    ModelSpec,
    StackSpec,
    ValuesSpec,
    check_constant,
    check_fields,
    check_integers,
    check_tensor_name,
    validate,
)
from service.core.recipes import OWN as RECIPE_FIELDS
from service.core.recipes import Expansion, expand_model, refuse_roles
from service.core.schemes import CONSTANTS
from service.core.slices import Slices, parse_slices, select_all

T = TypeVar("T")
#: Fields that are not allowed in `defaults`: the model sets the seed, each tensor sets its shape and name.
FIELDS_WITHOUT_DEFAULT = frozenset({"shape", "seed", "name", "constant"})
#: Fields of a drawn part that a whole tensor does not have.
PART_FIELDS = ("slice", "copy")


def check_defaults(defaults: Fields) -> None:
    """Check that defaults are fields that a layer spec may share. Raises SpecError."""
    check_fields(defaults, "defaults")
    for name, value in defaults.items():
        if name in FIELDS_WITHOUT_DEFAULT:
            raise make_spec_error(
                f"defaults.{name}",
                "must not be in defaults: set seed in the model, name, shape and constant in each tensor",
                value,
            )
    try:
        LayerSpec.parse({"shape": (1,), **defaults})
    except SpecError as error:
        raise error.within("defaults") from None


class Limits(NamedTuple):
    """The largest number of tensors and elements of a model, and of axes of a tensor.

    Models that were published before parts were checked for `repeats` may have some.
    """

    tensors: int
    elements: int
    rank: int
    repeats: bool = False

    def check_tensors(self, listed: object) -> None:
        """Check the number of tensors, where each part counts as one. Raises SpecError."""
        if not isinstance(listed, list):
            return
        count = sum(count_parts(tensor) for tensor in listed)
        if not 1 <= count <= self.tensors:
            raise make_spec_error("tensors", f"must be 1 to {self.tensors}, each part counting as one", count)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Check a tensor's shape. Raises SpecError."""
        if len(shape) > self.rank:
            raise make_spec_error("shape", f"must have at most {self.rank} axes", shape)
        check_element_count(shape, self.elements)


def count_parts(tensor: object) -> int:
    """Count the parts of a tensor that has not been validated yet."""
    parts = tensor.get("parts") if isinstance(tensor, dict) else None
    return len(parts) if isinstance(parts, list) and parts else 1


def parse_model(values: Mapping[str, object], stream: int, limits: Limits) -> Model:
    """Parse a model for a version of the stream. Raises SpecError, with the first MAX_ERRORS broken rules.

    >>> values = {"seed": 42, "tensors": [{"name": "fc1", "shape": [784, 300], "activation": "ReLU"}]}
    >>> parse_model(values, 1, Limits(tensors=9, elements=10**9, rank=8)).canonical
    b'{"seed":"42","stream":1,"tensors":[{"activation":"relu","layout":"IO","name":"fc1","shape":[784,300]}]}'
    """
    return parse_expanded(values, stream, limits).model


class ParsedModel(NamedTuple):
    """A model, and how its recipe was written out, if it has one."""

    model: Model
    expansion: Expansion | None


def parse_expanded(values: Mapping[str, object], stream: int, limits: Limits) -> ParsedModel:
    """Parse a model, and keep what decided its tensors. Raises SpecError, as parse_model does."""
    limits.check_tensors(values.get("tensors"))  # before any of them is validated
    spec = validate(ModelSpec, values, "model")
    if spec.stream != stream:
        raise make_spec_error(
            "stream", f"must be {stream}, the version that this service supports", spec.stream
        )
    check_defaults({name: value for name, value in spec.defaults.items() if name not in RECIPE_FIELDS})
    expansion = expand(spec, limits)
    defaults, tensors = (
        (expansion.defaults, expansion.tensors) if expansion else (spec.defaults, spec.tensors)
    )
    parser = Parser(spec.seed, defaults, limits)
    model = Model.of(spec.seed, stream, parser.parse_tensors(tensors))
    if model.elements > limits.elements:
        raise make_spec_error(
            "tensors", f"must have at most {limits.elements} elements in total", model.elements
        )
    return ParsedModel(model, expansion)


def expand(spec: ModelSpec, limits: Limits) -> Expansion | None:
    """Write out the recipe of a model, if it has one. Raises SpecError."""
    for number, fields in enumerate(spec.tensors):
        try:
            check_fields(fields, "tensor")
        except SpecError as error:
            raise error.within(name_tensor(number, fields)) from None
    if spec.recipe is None:
        refuse_roles(spec.defaults, spec.tensors)
        return None
    expansion = expand_model(spec.recipe, spec.defaults, spec.tensors)
    limits.check_tensors(expansion.tensors)  # a fused kernel may have become parts
    return expansion


class Parser(NamedTuple):
    """Parses the tensors of one model, with its seed, defaults and limits."""

    seed: int
    defaults: Fields
    limits: Limits

    def parse_tensors(self, listed: list[Fields]) -> list[ModelTensor]:
        """Parse all tensors. Raises SpecError, with the path of the tensor in each field."""
        tensors: dict[str, ModelTensor] = {}
        errors: list[FieldError] = []
        for number, fields in enumerate(listed):
            try:
                tensor = self.parse_tensor(fields)
                if tensors.setdefault(tensor.name, tensor) is not tensor:
                    raise make_spec_error("name", "must be unique", tensor.name)
            except SpecError as error:
                errors += error.within(name_tensor(number, fields)).errors
            if len(errors) >= MAX_ERRORS:
                break
        if not (errors or self.limits.repeats):
            errors = list(islice(find_repeats(tensors.values()), MAX_ERRORS))
        if errors:
            raise SpecError(errors[:MAX_ERRORS])
        return list(tensors.values())

    def parse_tensor(self, fields: Fields) -> ModelTensor:
        """Parse a tensor. Raises SpecError."""
        check_fields(fields, "tensor")
        check_tensor_name(fields.get("name", MISSING))
        if "parts" in fields:
            return self.parse_stack(fields)
        for name in PART_FIELDS:
            if name in fields:
                raise make_spec_error(name, "is allowed only in the parts of a tensor", fields[name])
        part = self.parse_part(fields)
        return ModelTensor(part.name, part.shape, part.dtype, (part,))

    def parse_stack(self, fields: Fields) -> ModelTensor:
        """Parse a tensor of parts. Raises SpecError."""
        stack = validate(StackSpec, {**self.common, **fields}, "tensor with parts")
        self.limits.check_shape(stack.shape)
        if not stack.shape:
            raise make_spec_error("shape", "must have an axis to stack the parts along", stack.shape)
        if stack.axis >= len(stack.shape):
            raise make_spec_error(
                "axis", f"must be less than {len(stack.shape)}, the axes of shape", stack.axis
            )
        if not stack.parts:
            raise make_spec_error("parts", "must have at least 1 part", stack.parts)
        parts = tuple(self.parse_stacked_part(stack, number) for number in range(len(stack.parts)))
        length, rows = stack.shape[stack.axis], sum(part.shape[stack.axis] for part in parts)
        if rows != length:
            place = "rows" if stack.axis == 0 else f"indices of axis {stack.axis}"
            raise make_spec_error("parts", f"must have {length} {place} in total", rows)
        return ModelTensor(stack.name, stack.shape, stack.dtype, parts, stack.axis)

    def parse_stacked_part(self, stack: StackSpec, number: int) -> Part:
        """Parse a part of a stack: with the stack's dtype, and its name by default. Raises SpecError."""
        fields = stack.parts[number]
        try:
            if "dtype" in fields:
                raise make_spec_error("dtype", "must be set on the tensor, not on a part", fields["dtype"])
            part = self.parse_part({"name": stack.name, **fields, "dtype": stack.dtype}, stack.axis)
            axis, others = stack.axis, drop_axis(stack.shape, stack.axis)
            if len(part.shape) != len(stack.shape) or drop_axis(part.shape, axis) != others:
                rule = f"must match the tensor on all axes but {axis}: {list(others)}"
                raise make_spec_error("shape", rule, part.shape)
        except SpecError as error:
            raise error.within(f"parts[{number}]") from None
        return part

    def parse_part(self, fields: Fields, axis: int = 0) -> Part:
        """Parse a part, which may take some of an axis from a drawn tensor. Raises SpecError."""
        if "values" in fields:
            values = validate(ValuesSpec, {**self.common, **fields}, "tensor of values")
            self.limits.check_shape(values.shape)
            rule = values.make_rule()
            rule.check(values.shape, values.dtype)
            return Values(values.name, values.shape, values.dtype, rule, self.seed)
        if "constant" in fields:
            constant = validate(ConstantSpec, {**self.common, **fields}, "constant tensor")
            self.limits.check_shape(constant.shape)
            check_constant(constant)
            # RFC 8785 writes -0.0 as 0; adding 0.0 removes the sign.
            return Constant(constant.name, constant.shape, constant.dtype, constant.constant + 0.0)
        if "seed" in fields:
            raise make_spec_error("seed", "must be set on the model, not on a tensor", fields["seed"])
        check_fields(fields, "tensor")
        merged = {**merge_defaults(self.defaults, fields), "seed": self.seed}
        rows, copy = merged.pop("slice", None), merged.pop("copy", False)
        if not isinstance(copy, bool):
            raise make_spec_error("copy", "must be true or false", copy)
        spec = LayerSpec.parse(merged)
        self.limits.check_shape(spec.shape)
        check_integers(spec)
        parameters = resolve_parameters(spec)
        if parameters.scheme in CONSTANTS:  # which have a canonical form of their own
            return Constant(spec.name, spec.shape, spec.dtype, parameters.mean + 0.0)
        return Drawn(spec, parameters, parse_rows(rows, spec.shape, axis), copy)

    @property
    def common(self) -> Fields:
        """The defaults that apply to constants and stacks: the dtype."""
        return {name: value for name, value in self.defaults.items() if name == "dtype"}


def drop_axis(axes: tuple[T, ...], axis: int) -> tuple[T, ...]:
    """Return all axes but one.

    >>> drop_axis((3, 4, 5), 1)
    (3, 5)
    """
    return axes[:axis] + axes[axis + 1 :]


def parse_rows(text: object, shape: tuple[int, ...], axis: int) -> Slices:
    """Parse a slice of one axis. None selects the whole tensor. Raises SpecError."""
    whole = select_all(shape)
    if text is None:
        return whole
    if not isinstance(text, str):
        raise make_spec_error("slice", "must be text, such as 0:128", text)
    slices = parse_slices(text, shape)
    if drop_axis(slices, axis) != drop_axis(whole, axis):
        place = "the first axis" if axis == 0 else f"axis {axis}, along which parts are stacked,"
        raise make_spec_error("slice", f"must slice {place} only", text)
    return slices
