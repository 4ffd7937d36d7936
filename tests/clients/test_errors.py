"""Errors are one tree, and survive the way from one process to another."""

import copy
import inspect
import pickle
import re

import pytest
import weightinit
from weightinit import errors

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, weightinit.WeightinitError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_exported_and_documented(kind):
    assert getattr(weightinit, kind.__name__) is kind
    assert kind.__doc__
    assert kind is weightinit.WeightinitError or kind.__name__ in errors.__doc__


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("through", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_every_error_can_be_pickled(kind, through):
    error = kind("what was asked, of whom, and what to do")
    error.extra = 5
    twin = through(error)
    assert type(twin) is kind
    assert str(twin) == str(error)
    assert vars(twin) == vars(error)


def test_details_survive_pickling():
    error = weightinit.SpecRejected(
        "no", status=422, detail="No.", errors=[weightinit.FieldError("seed", "is required", "nothing", "m")]
    )
    assert pickle.loads(pickle.dumps(error)).errors == error.errors


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (weightinit.ConnectionFailed, ConnectionError),
        (weightinit.ServerStalled, TimeoutError),
        (weightinit.SpecRejected, ValueError),
        (weightinit.ConfigurationError, ValueError),
        (weightinit.BufferMismatch, ValueError),
        (weightinit.OutputFailed, OSError),
    ],
)
def test_an_error_is_pythons_own_where_it_has_one(kind, builtin):
    assert issubclass(kind, builtin)


def test_the_tree_that_is_documented_marks_those_that_are_tried_again():
    marked = set(re.findall(r"(?m)^[│├└─ ]+(\w+) .* \*(?: |$)", errors.__doc__))
    retryable = {kind.__name__ for kind in KINDS if kind("x").retryable}
    assert marked == retryable


def test_what_is_exported_is_sorted_and_there():
    names = weightinit.__all__
    assert names == sorted(names)
    assert all(hasattr(weightinit, name) for name in names)


def test_nothing_else_is_exported():
    """A name that users can import has to stay."""
    for name in weightinit.__all__:
        getattr(weightinit, name)  # each is imported when it is first used
    public = {
        name for name, value in vars(weightinit).items() if name[0] != "_" and not inspect.ismodule(value)
    }
    assert public == set(weightinit.__all__) - {"__version__"}
