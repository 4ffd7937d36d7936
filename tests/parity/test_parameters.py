"""Each initializer of the frameworks draws with the parameters that the service has for the same spec."""

import inspect
import math
import re

import pytest

from service.core import LayerSpec
from service.core.layer.parameters import resolve_scheme
from tests.clients.architectures.building import import_library
from tests.parity.initializers import (
    CONSTANT,
    DELTA,
    EXPLICIT,
    FRAMEWORKS,
    LEFT_OUT,
    MODULES,
    ORTHOGONAL,
    SCALED,
    SPARSE,
    record,
)
from tests.parity.kernels import KERNELS, count_as_framework, count_fans
from tests.parity.recording import describe

DENSE = {kernel.framework: kernel for kernel in KERNELS if kernel.layer == "dense"}


def list_kernels(row):
    """List the kernels in the axis order of a row's library."""
    return [kernel for kernel in KERNELS if kernel.framework == FRAMEWORKS[row.library]]


def name_row(row):
    return f"{row.library}-{row.call}"


def assert_same(theirs, ours):
    """Hold two distributions to be equal, to the accuracy of a few roundings in float64."""
    assert theirs.distribution == ours.distribution
    for one, other in zip(theirs[1:], ours[1:], strict=True):
        if one is None or other is None:
            assert one is other
        else:
            assert math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)


def is_same(theirs, ours):
    try:
        assert_same(theirs, ours)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("row", EXPLICIT, ids=name_row)
def test_an_explicit_distribution_is_the_same(row):
    kernel = DENSE[FRAMEWORKS[row.library]]
    assert_same(record(row.library, row.call, kernel.shape), describe(kernel.whole | row.fields))


@pytest.mark.parametrize("row", SCALED, ids=name_row)
def test_with_the_fans_of_the_framework_it_is_the_same_for_every_kernel(row):
    for kernel in list_kernels(row):
        ours = describe(count_as_framework(kernel) | row.fields)
        assert_same(record(row.library, row.call, kernel.shape), ours)


@pytest.mark.parametrize("row", SCALED, ids=name_row)
def test_with_the_fans_of_the_service_it_is_the_same_where_these_are(row):
    for kernel in list_kernels(row):
        mode = resolve_scheme(LayerSpec.parse(kernel.whole | row.fields)).mode
        ours, theirs = (fans.select(mode) for fans in count_fans(kernel))
        recorded = record(row.library, row.call, kernel.shape)
        assert is_same(recorded, describe(kernel.whole | row.fields)) == (ours == theirs), kernel.layer


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel.framework}-{kernel.layer}")
def test_the_page_says_why_fans_differ_and_only_then(kernel):
    ours, theirs = count_fans(kernel)
    assert bool(kernel.why) == (ours != theirs)


def test_lecun_normal_of_transformers_is_cut_at_2_not_at_2_sigma():
    """It divides σ by 0.8796, which corrects for a cut at ±2σ, and then cuts at ±2 as PyTorch does."""
    kernel = DENSE["torch"]
    stddev = math.sqrt(1 / 784) / 0.87962566103423978
    fields = {"parent_stddev": stddev, "low": -2.0, "high": 2.0}
    assert_same(record("transformers", "lecun_normal_(w)", kernel.shape), describe(kernel.whole | fields))


def list_names(library):
    """List the initializers of a library: its functions and classes, without deprecated names and aliases."""
    module = import_library(MODULES[library])
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    if library == "keras":
        names = {name for name, value in public.items() if name == getattr(value, "__name__", "")}
    elif library == "jax":
        names = {name for name, value in public.items() if callable(value)}
    else:
        functions = [value for value in public.values() if inspect.isfunction(value)]
        own = {function.__name__ for function in functions if function.__module__ == module.__name__}
        names = {name for name in own if f"{name}_" not in own}  # deprecated: the name without _
    return names - NOT_INITIALIZERS - {"Initializer"}


#: Helpers, and context managers that switch initialization off.
NOT_INITIALIZERS = {
    "deserialize",
    "get",
    "guard_torch_init_functions",
    "is_meta_device",
    "meta_device_safe_creation_ops",
    "no_init_weights",
    "no_tie_weights",
    "serialize",
}


@pytest.mark.parametrize("library", MODULES)
def test_every_initializer_of_a_library_is_in_a_row(library):
    rows = (*EXPLICIT, *SCALED, *CONSTANT, *ORTHOGONAL, *SPARSE, DELTA)
    known = {re.match(r"\w+", row.call)[0] for row in rows if row.library == library}
    assert list_names(library) - known == set(LEFT_OUT[library])
