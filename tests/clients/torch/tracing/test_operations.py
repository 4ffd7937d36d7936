"""The table of operations is complete for PyTorch."""

from collections import Counter

import pytest
from torch.overrides import get_overridable_functions
from weightinit.adapters.flow.graph import Role, fold
from weightinit.torch.tracing.operations import _ROWS, ACTIVATIONS, KERNEL_ARGUMENTS, OUTPUT_AXES, ROLES


def test_every_function_of_pytorch_has_a_role():
    functions = [one for several in get_overridable_functions().values() for one in several]
    names = {fold(getattr(function, "__name__", "")) for function in functions}
    assert sorted(names - ROLES.keys()) == []


def test_no_function_has_two_roles():
    counts = Counter(name for names in _ROWS.values() for name in names.split())
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_an_activation_is_evaluated_or_known_by_name(name):
    assert ROLES[name] in {Role.ELEMENTWISE, Role.ACTIVATION}


@pytest.mark.parametrize("name", sorted({*KERNEL_ARGUMENTS, *OUTPUT_AXES}))
def test_what_applies_a_kernel_ends_a_signal(name):
    assert ROLES[name] is Role.PRODUCT
