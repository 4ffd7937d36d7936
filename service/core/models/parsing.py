"""Parsing: validate the JSON of a request and resolve it to a model."""

import re
from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.core.dtypes import TENSOR_DTYPES, IntegerDtype, TensorDtypeName
from service.core.errors import (
    MAX_ERRORS,
    MISSING,
    FieldError,
    SpecError,
    describe_text,
    make_spec_error,
    translate_validation_errors,
)
from service.core.models.model import Constant, Drawn, Model, ModelTensor, Part
from service.core.models.repeats import find_repeats
from service.core.parameters import resolve_parameters
from service.core.slices import Slices, parse_slices, select_all
from service.core.spec import AnyShape, LayerSpec, Seed, check_element_count, check_name
from service.core.spread import merge_defaults

Fields = dict[str, Any]
Name = Annotated[str, AfterValidator(check_name)]
M = TypeVar("M", bound="StrictModel")

#: Fields that are not allowed in `defaults`: the model sets the seed, each tensor sets its shape and name.
FIELDS_WITHOUT_DEFAULT = frozenset({"shape", "seed", "name"})
#: Fields of a drawn part that a whole tensor does not have.
PART_FIELDS = ("slice", "copy")
#: The key of the metadata in a safetensors header, so no tensor can have this name.
SAFETENSORS_METADATA = "__metadata__"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: More than any valid object has. A hostile one may have a million, with an error for each.
MAX_FIELDS = 32
#: RFC 8785 writes numbers as doubles, which hold every integer up to here (RFC 7493, section 2.2).
MAX_INTEGER = 2**53 - 1


class StrictModel(BaseModel):
    """Base of the models that are parsed from JSON: no coercion, no unknown fields."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(StrictModel):
    """A model: a seed, defaults for the tensors, and the tensors."""

    seed: Annotated[Seed, Field(description="0 to 2⁶⁴ - 1, as a number or as decimal text.")]
    stream: Annotated[int, Field(description="The version of the stream.")] = 1
    defaults: Annotated[
        Fields, Field(description="Fields of a layer spec, for tensors that do not set them.")
    ] = {}
    tensors: Annotated[
        list[Fields],
        Field(
            description="Each with a name, a shape, and either fields of a layer spec, a `constant`, "
            "or `parts`, which are stacked along the first axis."
        ),
    ]


class ConstantSpec(StrictModel):
    """A tensor, or a part of one, with one value everywhere."""

    name: Name
    shape: Annotated[AnyShape, Field(description="0 to 8 axes, whose lengths may be 0. A scalar has none.")]
    constant: Annotated[float, Field(description="A value of the dtype; 0 or 1 for bool.")]
    dtype: TensorDtypeName = "float32"


class StackSpec(StrictModel):
    """A tensor of parts that are stacked along the first axis."""

    name: Name
    shape: AnyShape
    parts: list[Fields]
    dtype: TensorDtypeName = "float32"


def validate(kind: type[M], values: Mapping[str, object], what: str) -> M:
    """Validate JSON-like values as a model. Raises SpecError, with every invalid field."""
    check_fields(values, what)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(translate_validation_errors(error, kind.model_fields, what)) from None


def check_fields(values: Mapping[str, object], what: str) -> None:
    """Check the number of fields before any of them is validated. Raises SpecError."""
    if len(values) > MAX_FIELDS:
        raise SpecError([FieldError.of(what, f"must have at most {MAX_FIELDS} fields", len(values))])


def check_defaults(defaults: Fields) -> None:
    """Check that defaults are fields that a layer spec may share. Raises SpecError."""
    check_fields(defaults, "defaults")
    for name, value in defaults.items():
        if name in FIELDS_WITHOUT_DEFAULT:
            raise make_spec_error(
                f"defaults.{name}",
                "must not be in defaults: set seed in the model, name and shape in each tensor",
                value,
            )
    try:
        LayerSpec.parse({"shape": (1,), **defaults})
    except SpecError as error:
        raise error.within("defaults") from None


def check_tensor_name(name: object) -> None:
    """Check that a name is valid in a URL path and in a safetensors file. Raises SpecError.

    A name that is not text is left to the validation of the spec.
    """
    if name is MISSING or name == "":
        raise make_spec_error("name", "is required for each tensor", name)
    if not isinstance(name, str):
        return
    if CONTROL.search(name):
        raise make_spec_error("name", "must not contain control characters", name)
    if name == SAFETENSORS_METADATA:
        raise make_spec_error("name", "is reserved for the metadata of safetensors files", name)
    if ".." in name or any(segment in {"", "."} for segment in name.split("/")):
        rule = "must not contain .., nor a segment between slashes that is empty or ."
        raise make_spec_error("name", rule, name)


def check_constant(spec: ConstantSpec) -> None:
    """Check that the dtype can represent a constant. Raises SpecError."""
    row = TENSOR_DTYPES[spec.dtype]
    if isinstance(row, IntegerDtype):
        check_integer(spec.constant, row)
    elif abs(spec.constant) > (largest := row.max):
        rule = f"must have a magnitude of at most {largest:g}, the largest {spec.dtype}"
        raise make_spec_error("constant", rule, spec.constant)


def check_integer(value: float, row: IntegerDtype) -> None:
    """Check that an integer dtype, and the canonical form, can represent a value. Raises SpecError."""
    lowest, largest = max(row.min, -MAX_INTEGER), min(row.max, MAX_INTEGER)
    if not (value.is_integer() and lowest <= value <= largest):
        rule = f"must be an integer from {lowest} to {largest} for {row.name}"
        raise make_spec_error("constant", rule, value)


def check_integers(spec: LayerSpec) -> None:
    """Check that the canonical form can represent the integers of a spec. Raises SpecError."""
    for field in ("shape", "groups", "fan_in", "fan_out"):
        value = getattr(spec, field) or 0
        if max(value if isinstance(value, tuple) else (value,)) > MAX_INTEGER:
            raise make_spec_error(field, f"must be at most {MAX_INTEGER} in a model", value)


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
    limits.check_tensors(values.get("tensors"))  # before any of them is validated
    spec = validate(ModelSpec, values, "model")
    if spec.stream != stream:
        raise make_spec_error(
            "stream", f"must be {stream}, the version that this service supports", spec.stream
        )
    check_defaults(spec.defaults)
    parser = Parser(spec.seed, spec.defaults, limits)
    model = Model.of(spec.seed, stream, parser.parse_tensors(spec.tensors))
    if model.elements > limits.elements:
        raise make_spec_error(
            "tensors", f"must have at most {limits.elements} elements in total", model.elements
        )
    return model


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
        parts = tuple(self.parse_stacked_part(stack, number) for number in range(len(stack.parts)))
        rows = sum(part.shape[0] for part in parts)
        if rows != stack.shape[0]:
            raise make_spec_error("parts", f"must have {stack.shape[0]} rows in total", rows)
        return ModelTensor(stack.name, stack.shape, stack.dtype, parts)

    def parse_stacked_part(self, stack: StackSpec, number: int) -> Part:
        """Parse a part of a stack: with the stack's dtype, and its name by default. Raises SpecError."""
        fields = stack.parts[number]
        try:
            if "dtype" in fields:
                raise make_spec_error("dtype", "must be set on the tensor, not on a part", fields["dtype"])
            part = self.parse_part({"name": stack.name, **fields, "dtype": stack.dtype})
            if not part.shape or part.shape[1:] != stack.shape[1:]:
                rule = f"must match the tensor after axis 0, {list(stack.shape[1:])}"
                raise make_spec_error("shape", rule, part.shape)
        except SpecError as error:
            raise error.within(f"parts[{number}]") from None
        return part

    def parse_part(self, fields: Fields) -> Part:
        """Parse a drawn or constant part. Raises SpecError."""
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
        return Drawn(spec, resolve_parameters(spec), parse_rows(rows, spec.shape), copy)

    @property
    def common(self) -> Fields:
        """The defaults that apply to constants and stacks: the dtype."""
        return {name: value for name, value in self.defaults.items() if name == "dtype"}


def parse_rows(text: object, shape: tuple[int, ...]) -> Slices:
    """Parse a slice of the first axis. None selects the whole tensor. Raises SpecError."""
    whole = select_all(shape)
    if text is None:
        return whole
    if not isinstance(text, str):
        raise make_spec_error("slice", "must be text, such as 0:128", text)
    slices = parse_slices(text, shape)
    if slices[1:] != whole[1:]:
        raise make_spec_error("slice", "must slice the first axis only", text)
    return slices


def name_tensor(number: int, fields: Fields) -> str:
    """Format the path of a tensor in an error, with its name, or its index if it has no name.

    >>> name_tensor(3, {"name": "fc1"}), name_tensor(3, {})
    ('tensors["fc1"]', 'tensors[3]')
    """
    name = fields.get("name")
    return f"tensors[{describe_text(name) if isinstance(name, str) and name else number}]"
