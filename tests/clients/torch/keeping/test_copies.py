"""Frozen copies of trained parts, such as teachers of students, stay equal to them."""

import copy
import warnings

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Constant, Leave
from weightinit.torch import StaleCopyWarning, initialize_, publish
from weightinit.torch.plan import plan_parameters


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


def make_mlp():
    """Make two layers."""
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))


def make_convolutions():
    """Make layers with a norm, whose kernels somebody drew."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 1))
    nn.init.normal_(model[0].weight)
    return model


def make_attention():
    """Make a kernel that packs three, and a norm."""
    return nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))


class Pair(nn.Module):
    """A student and its frozen teacher (Grill et al. 2020, section 3.1), in either order."""

    def __init__(self, make, *, is_first=False):
        super().__init__()
        student = make()
        teacher = copy.deepcopy(student).requires_grad_(False)
        parts = (
            {"teacher": teacher, "student": student} if is_first else {"student": student, "teacher": teacher}
        )
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.student(x), self.teacher(x)


MAKES = {"dense": make_mlp, "convolutions": make_convolutions, "attention": make_attention}
each = pytest.mark.parametrize("make", MAKES.values(), ids=MAKES)
either = pytest.mark.parametrize("is_first", [False, True])


def are_equal(model):
    """Tell whether the teacher is its student."""
    pairs = zip(model.student.state_dict().values(), model.teacher.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


@either
@each
def test_a_frozen_copy_stays_one(make, is_first, client):
    model = Pair(make, is_first=is_first)
    before = copy.deepcopy(model)
    initialize_(model, 42, client=client)
    assert are_equal(model)
    assert not torch.equal(next(model.student.parameters()), next(before.student.parameters()))


@each
def test_a_student_is_drawn_as_it_is_alone(make, client):
    model, alone = Pair(make), make()
    initialize_(model, 42, client=client)
    initialize_(alone, 42, rename=lambda name: f"student.{name}", client=client)
    assert all(map(torch.equal, model.student.parameters(), alone.parameters()))


@either
@each
def test_a_frozen_copy_is_published_as_one(make, is_first, client):
    published = publish(Pair(make, is_first=is_first), 42, client=client)
    first, second = Pair(make, is_first=is_first), Pair(make, is_first=is_first)
    initialize_(first, 42, client=client)
    initialize_(second, published.id, client=client)
    assert all(map(torch.equal, first.parameters(), second.parameters()))


def test_the_report_says_what_is_a_copy_of_what(client):
    row = initialize_(Pair(make_mlp), 42, client=client)["teacher.0.weight"]
    assert (row.certainty, "copy of student.0.weight" in row.reason) == ("guessed", True)


def test_a_rule_for_the_student_is_one_for_its_copy(client):
    model = Pair(make_mlp)
    initialize_(model, 42, rules={"student.*.weight": {"stddev": 0.1}}, client=client)
    assert are_equal(model)


def test_a_rule_for_a_frozen_copy_wins():
    assert plan(Pair(make_mlp), rules={"teacher.0.weight": 0.0})["teacher.0.weight"].action == Constant(0.0)


def test_a_frozen_copy_of_what_a_rule_leaves_is_kept():
    planned = plan(Pair(make_mlp), rules={"student.*": None})
    assert planned["teacher.0.weight"].action == Leave()


def test_a_frozen_part_of_other_values_is_kept():
    model = Pair(make_mlp)
    nn.init.normal_(model.teacher[0].weight)
    assert plan(model)["teacher.0.weight"].action == Leave()


@each
def test_a_frozen_copy_that_was_trained_is_kept_and_warned_of(make):
    """As the base of a ControlNet (Zhang et al. 2023, section 3.1), whose copy is trained."""
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    with pytest.warns(StaleCopyWarning, match=r"^teacher\..* copies of student\.") as caught:
        planned = plan(Pair(lambda: model))
    assert len(caught) == 1
    assert all(entry.action == Leave() for name, entry in planned.items() if name.startswith("teacher"))


def test_a_frozen_part_that_is_no_copy_is_not_warned_of():
    model = nn.Sequential(make_mlp(), make_mlp().requires_grad_(False))
    with warnings.catch_warnings(action="error"):
        plan(model)


class Averaged(nn.Module):
    """Buffers beside the parameters that they average, as they begin."""

    def __init__(self, factor=1):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("average", self.layer.weight.detach() * factor)
        self.register_buffer("zeros", torch.zeros(4))

    def forward(self, x):
        return self.layer(x)


def test_a_buffer_that_is_a_copy_is_warned_of():
    with pytest.warns(StaleCopyWarning, match=r"^average: kept, but copies of layer\.weight"):
        plan(Averaged())


def test_a_buffer_that_is_a_copy_of_what_a_rule_leaves_is_not_warned_of():
    plan(Averaged(), rules={"layer.*": None})


def test_a_buffer_of_other_values_is_not_warned_of():
    plan(Averaged(2))
