"""Parsing: from what a client says to a model."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.core.dtypes import DTYPES, DtypeName
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
from service.core.parameters import resolve_parameters
from service.core.slices import Slices, parse_slices
from service.core.spec import LayerSpec, Seed, Shape, check_element_count, check_name

Fields = dict[str, Any]
Name = Annotated[str, AfterValidator(check_name)]
M = TypeVar("M", bound="Said")

#: What each tensor has to say itself.
OWN = frozenset({"shape", "seed", "name"})
#: What safetensors keeps for itself.
RESERVED = "__metadata__"
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: More than anything that is said has: a hostile object has a million, each an error to describe.
MAX_FIELDS = 32
#: RFC 8785 writes numbers as doubles, which hold every integer up to here (RFC 7493, section 2.2).
MAX_INTEGER = 2**53 - 1


class Said(BaseModel):
    """What is read strictly, from JSON."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ModelSpec(Said):
    """A model: a seed, what its tensors have in common, and the tensors."""

    seed: Annotated[Seed, Field(description="0 to 2⁶⁴ - 1, as a number or as decimal text.")]
    stream: Annotated[int, Field(description="The version of the stream.")] = 1
    defaults: Annotated[
        Fields, Field(description="Fields of a layer spec, for the tensors that do not say them.")
    ] = {}
    tensors: Annotated[
        list[Fields],
        Field(
            description="Each with a name and a shape; and with fields of a layer spec, with a `constant`, "
            "or with `parts`, which are stacked along the first axis."
        ),
    ]


class ConstantSpec(Said):
    """A tensor, or a part of one, that is one value everywhere."""

    name: Name
    shape: Shape
    constant: float
    dtype: DtypeName = "float32"


class StackSpec(Said):
    """A tensor of parts."""

    name: Name
    shape: Shape
    parts: list[Fields]
    dtype: DtypeName = "float32"


def validate(kind: type[M], values: Mapping[str, object], what: str) -> M:
    """Read JSON-like values. Raises SpecError, with every field that is wrong."""
    check_fields(values, what)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(translate_validation_errors(error, kind.model_fields, what)) from None


def check_fields(values: Mapping[str, object], what: str) -> None:
    """Check that there are not more fields than anything has, before each is looked at. Raises SpecError."""
    if len(values) > MAX_FIELDS:
        raise SpecError([FieldError.of(what, f"must have at most {MAX_FIELDS} fields", len(values))])


def check_defaults(defaults: Fields) -> None:
    """Check that defaults are fields which tensors can have in common. Raises SpecError."""
    check_fields(defaults, "defaults")
    for name, value in defaults.items():
        if name in OWN:
            raise make_spec_error(
                f"defaults.{name}",
                "is no default: the model says the seed, and each tensor its name and shape",
                value,
            )
    said = {name: value for name, value in defaults.items() if name not in OWN}
    try:
        LayerSpec.parse({"shape": (1,), **said})
    except SpecError as error:
        raise error.within("defaults") from None


def check_tensor_name(name: object) -> None:
    """Check that a name can stand in a path and in a safetensors file. Raises SpecError.

    Of other names than text, the spec's own rules speak.
    """
    if name is MISSING or name == "":
        raise make_spec_error("name", "is required of each tensor", name)
    if not isinstance(name, str):
        return
    if CONTROL.search(name):
        raise make_spec_error("name", "must not have control characters", name)
    if name == RESERVED:
        raise make_spec_error("name", "is kept for the metadata of safetensors", name)
    if ".." in name or any(segment in {"", "."} for segment in name.split("/")):
        raise make_spec_error("name", "must not have .. in it, nor . or nothing between slashes", name)


def check_value(said: ConstantSpec) -> None:
    """Check that a dtype holds a constant. Raises SpecError."""
    largest = DTYPES[said.dtype].max
    if abs(said.constant) > largest:
        raise make_spec_error(
            "constant", f"must be at most {largest:g}, {said.dtype}'s largest", said.constant
        )


def check_integers(spec: LayerSpec) -> None:
    """Check that the canonical form can hold a spec's integers. Raises SpecError."""
    for field in ("shape", "groups", "fan_in", "fan_out"):
        value = getattr(spec, field) or 0
        if max(value if isinstance(value, tuple) else (value,)) > MAX_INTEGER:
            raise make_spec_error(field, f"must be at most {MAX_INTEGER} in a model", value)


class Limits(NamedTuple):
    """How many tensors a model may have, and how many elements and axes a tensor."""

    tensors: int
    elements: int
    rank: int

    def check_tensors(self, listed: object) -> None:
        """Check how many tensors are listed, each part counting as one. Raises SpecError."""
        if not isinstance(listed, list):
            return
        count = sum(count_parts(said) for said in listed)
        if not 1 <= count <= self.tensors:
            raise make_spec_error("tensors", f"must be 1 to {self.tensors}, each part counting as one", count)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Check a tensor's shape. Raises SpecError."""
        if len(shape) > self.rank:
            raise make_spec_error("shape", f"must have at most {self.rank} axes", shape)
        check_element_count(shape, self.elements)


def count_parts(said: object) -> int:
    """Count the parts of a tensor, of which nothing has been checked yet."""
    parts = said.get("parts") if isinstance(said, dict) else None
    return len(parts) if isinstance(parts, list) and parts else 1


def parse_model(values: Mapping[str, object], stream: int, limits: Limits) -> Model:
    """Parse a model for a version of the stream. Raises SpecError, with the first few rules that are broken.

    >>> said = {"seed": 42, "tensors": [{"name": "fc1", "shape": [784, 300], "activation": "ReLU"}]}
    >>> parse_model(said, 1, Limits(tensors=9, elements=10**9, rank=8)).canonical
    b'{"seed":"42","stream":1,"tensors":[{"activation":"relu","layout":"IO","name":"fc1","shape":[784,300]}]}'
    """
    limits.check_tensors(values.get("tensors"))  # before a million of them are looked at
    spec = validate(ModelSpec, values, "model")
    if spec.stream != stream:
        raise make_spec_error("stream", f"must be {stream}, the version that is served here", spec.stream)
    check_defaults(spec.defaults)
    parser = Parser(spec.seed, spec.defaults, limits)
    model = Model.of(spec.seed, stream, parser.parse_tensors(spec.tensors))
    if model.elements > limits.elements:
        raise make_spec_error(
            "tensors", f"must have at most {limits.elements} elements in all", model.elements
        )
    return model


class Parser(NamedTuple):
    """What holds for every tensor of a model."""

    seed: int
    defaults: Fields
    limits: Limits

    def parse_tensors(self, listed: list[Fields]) -> list[ModelTensor]:
        """Parse all tensors. Raises SpecError, in which each field is named within its tensor."""
        tensors: dict[str, ModelTensor] = {}
        errors: list[FieldError] = []
        for number, said in enumerate(listed):
            try:
                tensor = self.parse_tensor(said)
                if tensors.setdefault(tensor.name, tensor) is not tensor:
                    raise make_spec_error("name", "must be given once", tensor.name)
            except SpecError as error:
                errors += error.within(name_tensor(number, said)).errors
            if len(errors) >= MAX_ERRORS:
                break
        if errors:
            raise SpecError(errors[:MAX_ERRORS])
        return list(tensors.values())

    def parse_tensor(self, said: Fields) -> ModelTensor:
        """Parse a tensor. Raises SpecError."""
        check_fields(said, "tensor")
        check_tensor_name(said.get("name", MISSING))
        if "parts" in said:
            return self.parse_stack(said)
        if "slice" in said:
            raise make_spec_error("slice", "is for the parts of a tensor", said["slice"])
        part = self.parse_part(said)
        return ModelTensor(part.name, part.shape, part.dtype, (part,))

    def parse_stack(self, said: Fields) -> ModelTensor:
        """Parse a tensor of parts. Raises SpecError."""
        stack = validate(StackSpec, {**self.common, **said}, "tensor with parts")
        self.limits.check_shape(stack.shape)
        parts = tuple(self.parse_piece(stack, number) for number in range(len(stack.parts)))
        rows = sum(part.shape[0] for part in parts)
        if rows != stack.shape[0]:
            raise make_spec_error("parts", f"must have {stack.shape[0]} rows in all", rows)
        return ModelTensor(stack.name, stack.shape, stack.dtype, parts)

    def parse_piece(self, stack: StackSpec, number: int) -> Part:
        """Parse a part of a tensor, of which it has the dtype and, unless it says one, the name.

        Raises SpecError.
        """
        said = stack.parts[number]
        try:
            if "dtype" in said:
                raise make_spec_error("dtype", "is the tensor's, not a part's, to say", said["dtype"])
            part = self.parse_part({"name": stack.name, **said, "dtype": stack.dtype})
            if part.shape[1:] != stack.shape[1:]:
                raise make_spec_error(
                    "shape", f"must end as the tensor's, in {list(stack.shape[1:])}", part.shape
                )
        except SpecError as error:
            raise error.within(f"parts[{number}]") from None
        return part

    def parse_part(self, said: Fields) -> Part:
        """Parse what is drawn, or is one value everywhere. Raises SpecError."""
        if "constant" in said:
            constant = validate(ConstantSpec, {**self.common, **said}, "constant tensor")
            self.limits.check_shape(constant.shape)
            check_value(constant)
            # A zero has no sign in RFC 8785.
            return Constant(constant.name, constant.shape, constant.dtype, constant.constant + 0.0)
        if "seed" in said:
            raise make_spec_error("seed", "is the model's, not a tensor's, to say", said["seed"])
        check_fields(said, "tensor")
        fields = {**self.defaults, **said, "seed": self.seed}
        cut = fields.pop("slice", None)
        spec = LayerSpec.parse(fields)
        self.limits.check_shape(spec.shape)
        check_integers(spec)
        return Drawn(spec, resolve_parameters(spec), parse_rows(cut, spec.shape))

    @property
    def common(self) -> Fields:
        """What a tensor that is not drawn takes of the defaults."""
        return {name: value for name, value in self.defaults.items() if name == "dtype"}


def parse_rows(cut: object, shape: tuple[int, ...]) -> Slices:
    """Parse the cut of some rows, None being all. Raises SpecError."""
    whole = tuple(slice(0, size) for size in shape)
    if cut is None:
        return whole
    if not isinstance(cut, str):
        raise make_spec_error("slice", "must be text, such as 0:128", cut)
    slices = parse_slices(cut, shape)
    if slices[1:] != whole[1:]:
        raise make_spec_error("slice", "must cut the first axis only", cut)
    return slices


def name_tensor(number: int, said: Fields) -> str:
    """Name a tensor for an error: by its name where it has one, else by its number.

    >>> name_tensor(3, {"name": "fc1"}), name_tensor(3, {})
    ('tensors["fc1"]', 'tensors[3]')
    """
    name = said.get("name")
    return f"tensors[{describe_text(name) if isinstance(name, str) and name else number}]"
