"""Rules: how a recipe initializes the tensors of each role, as fields of a layer spec or as a constant."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.core.recipes.expressions import Number, evaluate, find_names
from service.core.recipes.roles import ROLES

#: The fields whose text is an expression. The text of other fields is their value.
NUMERIC = frozenset(
    {
        "constant",
        "fan_in",
        "fan_out",
        "gain",
        "high",
        "limit",
        "low",
        "lower",
        "mean",
        "parent_stddev",
        "scale",
        "stddev",
        "upper",
    }
)

#: What an expression may use of a tensor, besides the sizes of the recipe.
OF_TENSOR: Mapping[str, str] = {
    "layer": "the number of the tensor's layer, from 0",
    "rows": "the length of the first axis",
    "columns": "the length of the last axis",
    "field": "the product of the axes of space",
    "fan_in": "the product of the I axes and those of space",
    "fan_out": "the product of the O axes and those of space, divided by the groups",
    "kernel_fan_in": "fan_in of the kernel that a bias is for",
    "hidden": "the last axis of the recurrent kernel of the same layer",
}


@dataclass(frozen=True, slots=True)
class Size:
    """A number that a recipe needs of the whole model, such as its layers.

    Without a default it must be given, unless it is `counted` from the names of the tensors. A size that is
    not `whole` may have a fraction.
    """

    name: str
    text: str
    default: Number | None = None
    counted: bool = False
    whole: bool = True


#: The grid of a table of positions that make a square.
SQUARE = "square"

#: The role of three kernels in one, and those of its parts.
FUSED, SPLIT = "query_key_value", ("query", "key", "value")

LAYERS = Size("layers", "The number of layers; by default counted from the names.", counted=True)
SIGMA = Size("sigma", "σ of the weights.", default=0.02, whole=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """How tensors of some roles are initialized, and the source of it.

    `fields` are those of a layer spec, a `constant`, or `values`. With `shares`, the tensor has equal parts
    along its first axis, with these constants. Without either, a model cannot describe the values, and `note`
    says what they are.
    """

    roles: tuple[str, ...]
    fields: Mapping[str, str | Number]
    source: str
    note: str = ""
    shares: tuple[Number, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names that the expressions use."""
        used: frozenset[str] = frozenset()
        for field, value in self.fields.items():
            if field in NUMERIC and isinstance(value, str):
                used |= find_names(value)
        return used

    @property
    def formula(self) -> str:
        """The fields as text.

        >>> Rule(("attention_out",), {"stddev": "0.02 / sqrt(2 * layers)"}, "").formula
        'stddev = 0.02 / sqrt(2 * layers)'
        """
        if self.shares:
            return f"equal parts: {', '.join(map(str, self.shares))}"
        return ", ".join(f"{name} = {value}" for name, value in self.fields.items())

    def compute_fields(self, values: Mapping[str, Number]) -> dict[str, Any]:
        """Compute the fields for the values of the names. Raises ZeroDivisionError and ValueError."""
        return {
            field: evaluate(value, values) if field in NUMERIC and isinstance(value, str) else value
            for field, value in self.fields.items()
        }


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe: how a published code base initializes each tensor of a model, by its role.

    With `by_kind`, every matrix without a role of its own is a kernel, as for a framework's own layers.
    """

    name: str
    title: str
    reference: str
    rules: tuple[Rule, ...]
    sizes: tuple[Size, ...] = ()
    by_kind: bool = False

    def find_rule(self, role: str) -> Rule | None:
        """Return the rule of a role, or of the nearest role that is more general.

        A fused kernel has at least the rule of its first part.
        """
        name: str | None = role
        while name is not None:
            for rule in self.rules:
                if name in rule.roles:
                    return rule
            name = ROLES[name].general
        return self.find_rule(SPLIT[0]) if role == FUSED else None

    def split(self, role: str) -> tuple[Rule, ...]:
        """Return the rules of the parts of a fused kernel if they differ, or nothing."""
        if role != FUSED or any(FUSED in rule.roles for rule in self.rules):
            return ()
        rules = tuple(rule for part in SPLIT if (rule := self.find_rule(part)))
        return () if all(rule is rules[0] for rule in rules) else rules

    def list_roles(self) -> tuple[str, ...]:
        """List the roles that rules name, in order."""
        return tuple(role for rule in self.rules for role in rule.roles)


def constant(value: str | Number, *roles: str, source: str) -> Rule:
    """Make a rule for one value everywhere."""
    return Rule(roles, {"constant": value}, source)


def normal(stddev: str | Number, *roles: str, source: str, note: str = "") -> Rule:
    """Make a rule for a normal distribution that is not truncated."""
    return Rule(roles, {"stddev": stddev}, source, note)


def uniform(limit: str | Number, *roles: str, source: str, note: str = "") -> Rule:
    """Make a rule for a uniform distribution on (-limit, limit)."""
    return Rule(roles, {"limit": limit}, source, note)


def cut(stddev: str, *roles: str, source: str) -> Rule:
    """Make a rule for a normal distribution of this σ that is then cut at ±3 σ."""
    return Rule(roles, {"parent_stddev": stddev, "lower": -3.0, "upper": 3.0}, source)


def glorot(distribution: str, *roles: str, source: str) -> Rule:
    """Make a rule for Glorot's scheme."""
    return Rule(roles, {"scheme": "glorot", "distribution": distribution}, source)


def scaled_glorot(scale: str, *roles: str, source: str) -> Rule:
    """Make a rule for Glorot's uniform scheme with σ² multiplied by a scale."""
    fields: dict[str, str | Number] = {"scheme": "variance_scaling", "scale": scale, "mode": "fan_avg"}
    return Rule(roles, {**fields, "distribution": "uniform"}, source)


def values(rule: str, *roles: str, source: str, **options: str | Number) -> Rule:
    """Make a rule for elements that follow from their place."""
    return Rule(roles, {"values": rule, **options}, source)


def omit(*roles: str, source: str, note: str) -> Rule:
    """Make a rule for values that a model cannot describe."""
    return Rule(roles, {}, source, note)


BUFFERS = "every framework's norms: weight 1, bias 0, running mean 0, running variance 1"
NORMS = (
    constant(1, "norm_scale", "running_variance", "multiplier", source=BUFFERS),
    constant(0, "norm_shift", "running_mean", "counter", source=BUFFERS),
)


def zero_biases(source: str) -> tuple[Rule, ...]:
    """Make the rules of models whose biases are 0 and whose norms are 1 and 0."""
    return (constant(0, "bias", source=source), *NORMS)


#: U(±1/√fan_in) of torch.nn.Linear and Conv, written as the variance of a uniform distribution on it.
TORCH_KERNEL: Mapping[str, str | Number] = {
    "scheme": "variance_scaling",
    "scale": "1 / 3",
    "mode": "fan_in",
    "distribution": "uniform",
}
TORCH_BIAS: Mapping[str, str | Number] = {
    **TORCH_KERNEL,
    "fan_in": "kernel_fan_in",
    "fan_out": "rows",
}
TORCH_LINEAR = "torch/nn/modules/linear.py:124-128, torch/nn/modules/conv.py:196-201 (2.13)"


def scale_torch(factor: str, *roles: str, source: str) -> Rule:
    """Make PyTorch's rule for kernels with σ² multiplied by a factor."""
    return Rule(roles, {**TORCH_KERNEL, "scale": f"1 / 3 * {factor}"}, f"{source}; {TORCH_LINEAR}")


def scale_torch_bias(factor: str, *roles: str, source: str) -> Rule:
    """Make PyTorch's rule for biases with σ² multiplied by a factor."""
    return Rule(roles, {**TORCH_BIAS, "scale": f"1 / 3 * {factor}"}, f"{source}; {TORCH_LINEAR}")


def torch_kernel(*roles: str) -> Rule:
    """Make the rule that PyTorch's Linear and Conv have for their kernels."""
    return Rule(roles, TORCH_KERNEL, TORCH_LINEAR)


def torch_bias(*roles: str) -> Rule:
    """Make the rule that PyTorch's Linear and Conv have for their biases."""
    return Rule(roles, TORCH_BIAS, TORCH_LINEAR)
