"""Initializers that set a tensor as a whole give the same values, or matrices of the same structure."""

import numpy as np
import pytest
from scipy import stats

from service.core import LayerSpec, resolve_parameters
from service.stream.sources.making import make_source
from tests.parity.initializers import CONSTANT, DELTA, ORTHOGONAL, SPARSE, initialize


def draw(shape, **fields):
    """Return the service's tensor of a spec, in float64."""
    spec = LayerSpec.parse({"shape": list(shape), "dtype": "float64", "seed": 42} | fields)
    elements = np.empty(shape)
    make_source(spec, resolve_parameters(spec)).bind()(0, elements.reshape(-1).view(np.uint8))
    return elements


def name_row(row):
    return f"{row.library}-{row.call}-{row.shape}"


@pytest.mark.parametrize("row", CONSTANT, ids=name_row)
def test_every_element_is_equal(row):
    assert np.array_equal(draw(row.shape, **row.spec), initialize(row.library, row.call, row.shape))


def flatten(tensor, layout):
    """Return the matrix whose shorter side is orthonormal: outputs on one side, all else on the other."""
    if layout[0] == "O":
        return tensor.reshape(len(tensor), -1)
    return tensor.reshape(-1, tensor.shape[-1]).T


def assert_orthonormal(matrix, gain):
    products = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(products, gain * gain * np.eye(len(products)), atol=1e-12)


@pytest.mark.parametrize("row", ORTHOGONAL, ids=name_row)
def test_the_same_side_of_an_orthogonal_kernel_is_orthonormal(row):
    gain, layout = row.spec.get("gain", 1.0), row.spec["layout"]
    for tensor in (
        initialize(row.library, row.call, row.shape),
        draw(row.shape, scheme="orthogonal", **row.spec),
    ):
        assert_orthonormal(flatten(tensor, layout), gain)


def test_a_delta_orthogonal_kernel_has_the_same_tap():
    theirs = initialize(DELTA.library, DELTA.call, DELTA.shape)
    ours = draw(DELTA.shape, scheme="delta_orthogonal", **DELTA.spec)
    assert np.array_equal(theirs != 0, ours != 0)
    for kernel in (theirs, ours):
        assert_orthonormal(kernel[1, 1], 2.0)


@pytest.mark.parametrize("row", SPARSE, ids=name_row)
def test_a_sparse_kernel_has_as_many_zeros_in_each_unit(row):
    theirs = initialize(row.library, row.call, row.shape)
    ours = draw(row.shape, scheme="sparse", **row.spec)
    assert ((theirs == 0).sum(0) == (ours == 0).sum(0)).all()
    assert (theirs == 0).sum() == 40 * 77  # ceil(0.85 · 90)


@pytest.mark.parametrize("row", SPARSE, ids=name_row)
def test_the_other_elements_of_a_sparse_kernel_are_normal(row):
    for kernel in (
        initialize(row.library, row.call, row.shape),
        draw(row.shape, scheme="sparse", **row.spec),
    ):
        assert stats.kstest(kernel[kernel != 0], stats.norm(0, 0.02).cdf).pvalue > 1e-6
