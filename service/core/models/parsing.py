"""Parsing: from what a client says to a model."""

from collections.abc import Mapping
from typing import NamedTuple

from service.core.box import Box, parse_box
from service.core.errors import MISSING, FieldError, SpecError, describe_text, refuse
from service.core.models.model import Model
from service.core.models.spec import (
    ConstantSpec,
    Fields,
    ModelSpec,
    StackSpec,
    check_defaults,
    check_fields,
    check_integers,
    check_tensor_name,
    check_value,
    validate,
)
from service.core.models.tensors import Constant, Drawn, ModelTensor, Part
from service.core.parameters import decide
from service.core.spec import LayerSpec, check_element_count
from service.core.violations import MOST_ERRORS


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
            raise refuse("tensors", f"must be 1 to {self.tensors}, each part counting as one", count)

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Check a tensor's shape. Raises SpecError."""
        if len(shape) > self.rank:
            raise refuse("shape", f"must have at most {self.rank} axes", shape)
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
        raise refuse("stream", f"must be {stream}, the version that is served here", spec.stream)
    check_defaults(spec.defaults)
    parser = Parser(spec.seed, spec.defaults, limits)
    model = Model.of(spec.seed, stream, parser.parse_tensors(spec.tensors))
    if model.elements > limits.elements:
        raise refuse("tensors", f"must have at most {limits.elements} elements in all", model.elements)
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
                    raise refuse("name", "must be given once", tensor.name)
            except SpecError as error:
                errors += error.within(name_tensor(number, said)).errors
            if len(errors) >= MOST_ERRORS:
                break
        if errors:
            raise SpecError(errors[:MOST_ERRORS])
        return list(tensors.values())

    def parse_tensor(self, said: Fields) -> ModelTensor:
        """Parse a tensor. Raises SpecError."""
        check_fields(said, "tensor")
        check_tensor_name(said.get("name", MISSING))
        if "parts" in said:
            return self.parse_stack(said)
        if "slice" in said:
            raise refuse("slice", "is for the parts of a tensor", said["slice"])
        part = self.parse_part(said)
        return ModelTensor(part.name, part.shape, part.dtype, (part,))

    def parse_stack(self, said: Fields) -> ModelTensor:
        """Parse a tensor of parts. Raises SpecError."""
        stack = validate(StackSpec, {**self.common, **said}, "tensor with parts")
        self.limits.check_shape(stack.shape)
        parts = tuple(self.parse_piece(stack, number) for number in range(len(stack.parts)))
        rows = sum(part.shape[0] for part in parts)
        if rows != stack.shape[0]:
            raise refuse("parts", f"must have {stack.shape[0]} rows in all", rows)
        return ModelTensor(stack.name, stack.shape, stack.dtype, parts)

    def parse_piece(self, stack: StackSpec, number: int) -> Part:
        """Parse a part of a tensor, of which it has the dtype and, unless it says one, the name.

        Raises SpecError.
        """
        said = stack.parts[number]
        try:
            if "dtype" in said:
                raise refuse("dtype", "is the tensor's, not a part's, to say", said["dtype"])
            part = self.parse_part({"name": stack.name, **said, "dtype": stack.dtype})
            if part.shape[1:] != stack.shape[1:]:
                raise refuse("shape", f"must end as the tensor's, in {list(stack.shape[1:])}", part.shape)
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
            raise refuse("seed", "is the model's, not a tensor's, to say", said["seed"])
        check_fields(said, "tensor")
        fields = {**self.defaults, **said, "seed": self.seed}
        cut = fields.pop("slice", None)
        spec = LayerSpec.parse(fields)
        self.limits.check_shape(spec.shape)
        check_integers(spec)
        return Drawn(spec, decide(spec), parse_rows(cut, spec.shape))

    @property
    def common(self) -> Fields:
        """What a tensor that is not drawn takes of the defaults."""
        return {name: value for name, value in self.defaults.items() if name == "dtype"}


def parse_rows(cut: object, shape: tuple[int, ...]) -> Box:
    """Parse the cut of some rows, None being all. Raises SpecError."""
    whole = tuple(slice(0, size) for size in shape)
    if cut is None:
        return whole
    if not isinstance(cut, str):
        raise refuse("slice", "must be text, such as 0:128", cut)
    box = parse_box(cut, shape)
    if box[1:] != whole[1:]:
        raise refuse("slice", "must cut the first axis only", cut)
    return box


def name_tensor(number: int, said: Fields) -> str:
    """Name a tensor for an error: by its name where it has one, else by its number.

    >>> name_tensor(3, {"name": "fc1"}), name_tensor(3, {})
    ('tensors["fc1"]', 'tensors[3]')
    """
    name = said.get("name")
    return f"tensors[{describe_text(name) if isinstance(name, str) and name else number}]"
