"""A parameter has the same name in any wrapper."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.ao.quantization import QuantWrapper
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper, offload_wrapper
from torch.optim.swa_utils import AveragedModel
from weightinit.torch.walk import find_wrapped, unwrap, walk_buffers, walk_parameters

# Without Inductor, which takes seconds to import.
COMPILE = partial(torch.compile, backend="eager")
WRAPPERS = [COMPILE, nn.DataParallel, checkpoint_wrapper, offload_wrapper, AveragedModel, QuantWrapper]


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


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_wrapper_leaves_no_word(wrap):
    assert list_names(wrap(make_model())) == NAMES


@pytest.mark.parametrize("wrap", WRAPPERS)
def test_a_wrapper_inside_leaves_no_word(wrap):
    model = make_model()
    model[0] = wrap(model[0])
    assert list_names(model) == NAMES


def test_wrappers_of_wrappers_leave_no_word():
    assert list_names(COMPILE(nn.DataParallel(checkpoint_wrapper(make_model())))) == NAMES
    assert list_names(AveragedModel(nn.DataParallel(COMPILE(make_model())))) == NAMES


def test_a_subclass_of_a_wrapper_is_one():
    class Ema(AveragedModel):
        """An averaged model with a name of its own."""

    assert list_names(Ema(make_model())) == NAMES


def make_foreign(name, package, attribute, module):
    """Make a wrapper as a package that is not installed has it: a class of its name, around a module."""
    wrapper = type(name, (nn.Module,), {"__module__": package})()
    wrapper.add_module(attribute, module)
    return wrapper


@pytest.mark.parametrize(
    ("name", "package", "attribute"),
    [
        ("DeepSpeedEngine", "deepspeed.runtime.engine", "module"),
        ("ModelEmaV3", "timm.utils.model_ema", "module"),
        ("AbstractGradSampleModule", "opacus.grad_sample.gsm_base", "_module"),
        ("_FabricModule", "lightning.fabric.wrappers", "_forward_module"),
    ],
)
def test_a_wrapper_of_another_package_leaves_no_word(name, package, attribute):
    assert list_names(make_foreign(name, package, attribute, make_model())) == NAMES


def test_a_wrapper_that_keeps_its_module_twice_gives_no_second_name():
    wrapper = make_foreign("_FabricModule", "lightning.fabric.wrappers", "_forward_module", make_model())
    wrapper.add_module("_original_module", wrapper.get_submodule("_forward_module"))
    assert list_names(wrapper) == NAMES


def test_a_class_of_a_wrappers_name_in_another_package_is_none():
    ours = make_foreign("AveragedModel", "mine.models", "module", nn.Linear(2, 2))
    assert find_wrapped(ours) is None


def test_a_buffer_of_a_wrapper_is_none_of_its_module():
    model = AveragedModel(nn.Sequential(nn.BatchNorm1d(2, affine=False)))
    assert [place.names for place in walk_buffers(model)] == [
        ["0.running_mean"],
        ["0.running_var"],
        ["0.num_batches_tracked"],
    ]


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
