"""Expand small models for tests."""

from service.core.models import Limits, parse_expanded

LIMITS = Limits(tensors=20_000, elements=2**40, rank=8)


def expand(recipe, *tensors, **fields):
    """Parse a model of a recipe, in PyTorch's layout unless said otherwise."""
    values = {"seed": 1, "recipe": recipe, "defaults": {"layout": "torch"}, "tensors": list(tensors)}
    return parse_expanded({**values, **fields}, 1, LIMITS)


def expand_shapes(recipe, shapes):
    """Parse a model of names and shapes."""
    return expand(recipe, *({"name": name, "shape": list(shape)} for name, shape in shapes.items()))


def describe(parsed, name):
    """Return the only part of a tensor: its parameters, or its constant value."""
    (part,) = parsed.model.by_name[name].parts
    return part.value if hasattr(part, "value") else part.parameters
