"""Orthogonal matrices in plain NumPy: slow and simple. The kernels must compute the same bits.

It follows section 9 of docs/stream.md. Each sum runs over a Python loop, so that its order is the page's.
"""

import numpy as np
from numpy.typing import NDArray

from service.stream.orthogonal import Geometry, OrthogonalTensor
from service.stream.reference import draw_words, number_positions, transform
from service.stream.rounding import round_to

SIDE = 32
Array = NDArray[np.float64]


def make_reflectors(draws: Array) -> tuple[Array, Array, Array]:
    """Return the reflectors of a tall matrix of draws in columns, and tau and the sign of each."""
    rows, columns = draws.shape
    reflectors, tau, signs = np.tril(draws), np.zeros(columns), np.zeros(columns)
    for k in range(columns):
        x = draws[k, k]
        if k == rows - 1:
            signs[k] = np.copysign(1.0, x)
            continue
        square = 0.0
        for value in draws[k:, k]:
            square += value * value
        norm = np.sqrt(square)
        signs[k], reflectors[k, k] = -np.copysign(1.0, x), x + np.copysign(norm, x)
        tau[k] = 1.0 / (norm * (norm + abs(x)))
    return reflectors, tau, signs


def multiply_rows(left: Array, right: Array) -> Array:
    """Return leftᵀ · right, with the products added in ascending order of the rows."""
    sums = np.zeros((left.shape[1], right.shape[1]))
    for row in range(left.shape[0]):
        sums += np.outer(left[row], right[row])
    return sums


def orthogonalize(draws: Array) -> Array:
    """Return the tall matrix with orthonormal columns that the reflectors of draws make."""
    reflectors, tau, signs = make_reflectors(draws)
    columns = draws.shape[1]
    made = np.zeros_like(draws)
    made[np.arange(columns), np.arange(columns)] = signs
    for first in range((columns - 1) // SIDE * SIDE, -1, -SIDE):
        block = np.arange(first, min(first + SIDE, columns))
        v, below = reflectors[first:, block], made[first:]
        products, sums = multiply_rows(v, v), multiply_rows(v, below)
        for i in range(block.size - 1, -1, -1):
            for after in range(i + 1, block.size):
                sums[i] -= products[i, after] * sums[after]
            sums[i] *= tau[block[i]]
        for i in range(block.size):
            below -= np.outer(v[:, i], sums[i])
    return made


def draw_matrix(tensor: OrthogonalTensor, of: Geometry, number: int) -> Array:
    """Return a matrix of the stack, of outputs by inputs."""
    elements = np.arange(of.outputs * of.inputs, dtype=np.uint64) + np.uint64(number * of.outputs * of.inputs)
    positions = elements * np.uint64(of.taps) + np.uint64(of.center)
    draws = transform(draw_words(tensor.key, positions), "normal").reshape(of.outputs, of.inputs)
    return orthogonalize(draws.T).T if of.is_wide else orthogonalize(draws)


def draw_tensor(tensor: OrthogonalTensor) -> NDArray[np.generic]:
    """Return the slice of an orthogonal tensor, in memory order, rounded to its dtype."""
    of = Geometry.of(tensor.shape, tensor.layout, tensor.center)
    made = np.zeros((of.stack, of.outputs * of.inputs, of.taps))
    for number in range(of.stack):
        made[number, :, of.center] = draw_matrix(tensor, of, number).ravel()
    positions = number_positions(tensor.shape, tensor.layout, tensor.slices).astype(np.int64)
    return round_to((tensor.gain * made.ravel()[positions]).ravel(), tensor.dtype).reshape(positions.shape)
