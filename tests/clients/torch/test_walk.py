"""The same parameter has the same name, whatever its module was wrapped in."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from weightinit.torch.walk import unwrap, walk_parameters

# Without Inductor, which takes seconds to import.
COMPILE = partial(torch.compile, backend="eager")


def list_names(module, prefix=""):
    """List the names of a module's parameters."""
    return [place.names for place in walk_parameters(module, prefix)]


def make_model():
    """Make a model with one module inside another."""
    return nn.Sequential(nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 2, bias=False))


NAMES = [["0.0.weight"], ["0.0.bias"], ["1.weight"]]


def test_names_are_those_of_named_parameters():
    model = make_model()
    assert list_names(model) == [[name] for name, _ in model.named_parameters()] == NAMES


@pytest.mark.parametrize("wrap", [COMPILE, nn.DataParallel, checkpoint_wrapper])
def test_a_wrapper_leaves_no_word(wrap):
    assert list_names(wrap(make_model())) == NAMES


@pytest.mark.parametrize("wrap", [COMPILE, nn.DataParallel, checkpoint_wrapper])
def test_a_wrapper_inside_leaves_no_word(wrap):
    model = make_model()
    model[0] = wrap(model[0])
    assert list_names(model) == NAMES


def test_wrappers_of_wrappers_leave_no_word():
    assert list_names(COMPILE(nn.DataParallel(checkpoint_wrapper(make_model())))) == NAMES


def test_a_module_that_is_called_module_keeps_its_name():
    model = nn.Module()
    model.module = nn.Linear(2, 2, bias=False)
    assert list_names(model) == [["module.weight"]]


def test_what_is_wrapped_can_be_had():
    model = make_model()
    assert unwrap(COMPILE(nn.DataParallel(model))) is model


def test_a_prefix_comes_before_every_name():
    assert list_names(nn.Linear(2, 2), "decoder.3") == [["decoder.3.weight"], ["decoder.3.bias"]]


def test_a_tied_parameter_is_listed_once_with_all_its_names():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    assert list_names(model) == [["0.weight", "1.weight"]]


def test_the_module_of_a_tied_parameter_is_the_first():
    model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False))
    model[1].weight = model[0].weight
    assert walk_parameters(model)[0].module is model[0]


def test_a_shared_module_is_listed_once_with_all_its_names():
    shared = nn.Linear(2, 2, bias=False)
    assert list_names(nn.Sequential(shared, shared)) == [["0.weight", "1.weight"]]
