"""Tensors with a few chosen values are distinguished from draws and trained tensors."""

import pytest
import torch
from torch import nn
from weightinit.torch.keeping.patterns import has_pattern

DRAWS = {
    "uniform": lambda tensor: nn.init.kaiming_uniform_(tensor, a=5**0.5),
    "between 0 and 1": nn.init.uniform_,
    "normal": nn.init.normal_,
    "around 1": lambda tensor: nn.init.normal_(tensor, 1, 0.02),
    "truncated": lambda tensor: nn.init.trunc_normal_(tensor, std=0.02),
    "sparse": lambda tensor: nn.init.sparse_(tensor.float(), 0.5),
    "pruned": lambda tensor: nn.init.normal_(tensor).mul_(torch.rand_like(tensor) > 0.5),
}
DTYPES = [torch.float32, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("shape", [(1, 2), (1, 4), (2, 3), (4, 4), (64, 64)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("draw", [row for name, row in DRAWS.items() if name not in {"sparse", "pruned"}])
def test_a_draw_is_no_pattern(draw, dtype, shape):
    torch.manual_seed(0)
    draws = [draw(torch.empty(shape, dtype=dtype)) for _ in range(20)]
    assert not any(map(has_pattern, draws))


@pytest.mark.parametrize("draw", ["sparse", "pruned"])
def test_a_draw_that_is_zero_in_places_is_no_pattern(draw):
    torch.manual_seed(0)
    assert not has_pattern(DRAWS[draw](torch.empty(16, 16)))


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_a_draw_that_was_rounded_is_no_pattern(dtype):
    torch.manual_seed(0)
    assert not any(has_pattern(torch.randn(2, 3).to(dtype).float()) for _ in range(50))


@pytest.mark.parametrize("dtype", DTYPES[1:], ids=str)
def test_a_scale_that_was_trained_a_little_is_no_pattern(dtype):
    torch.manual_seed(0)
    scale = (1 + torch.randn(512) / 500).to(dtype)
    scale[7] = 3
    assert not has_pattern(scale)


def test_a_scale_of_which_the_last_bits_were_trained_is_no_pattern():
    torch.manual_seed(0)
    assert not has_pattern(1 + torch.randint(-2, 3, (512,)) * torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 1e-41, 1e12])
def test_what_was_in_memory_before_is_no_pattern(value):
    tensor = torch.zeros(16)
    tensor[::4] = value
    assert not has_pattern(tensor)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "values", [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0], [-4.6, 0, 0, 0, 0], [1, 1, 0, 0], [1, -1, 1, -1]]
)
def test_a_few_values_are_a_pattern(values, dtype):
    assert has_pattern(torch.tensor(values, dtype=dtype))


@pytest.mark.parametrize("size", [2, 3, 100, 300])
def test_an_identity_is_a_pattern(size):
    assert has_pattern(torch.eye(size))


@pytest.mark.parametrize(
    "tensor", [torch.zeros(4), torch.ones(1), torch.empty(0), torch.zeros(4, dtype=torch.long)]
)
def test_what_is_of_one_value_or_of_none_is_no_pattern(tensor):
    assert not has_pattern(tensor)
