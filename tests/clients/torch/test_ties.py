"""Tied parameters: shared by modules, by memory, or as an embedding's table that is also a head."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from weightinit.adapters.actions import Constant, Leave
from weightinit.torch import ModelRejected, initialize_, publish
from weightinit.torch.plan import plan_parameters


def plan(module, **said):
    """Plan a module: its entries by name."""
    return {entry.name: entry for entry in plan_parameters(module, **said)}


def make_shared(second=None):
    """Make two layers whose kernels are two parameters on one memory."""
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    model[1].weight = nn.Parameter(second(model[0].weight.data) if second else model[0].weight.data)
    return model


def test_parameters_on_one_memory_are_tied():
    (entry,) = plan(make_shared()).values()
    assert (entry.name, entry.aliases) == ("0.weight", ("1.weight",))


def test_parameters_on_one_memory_are_tied_on_the_meta_device():
    with torch.device("meta"):
        model = make_shared()
    assert list(plan(model)) == ["0.weight"]


def test_parameters_on_one_memory_are_published_once(recorder):
    publish(make_shared(), 42, client=recorder)
    assert [tensor["name"] for tensor in recorder.model.to_json()["tensors"]] == ["0.weight"]


def test_a_head_on_the_memory_of_a_table_is_tied():
    model = nn.Sequential(nn.Embedding(6, 4), nn.Linear(4, 6, bias=False))
    model[1].weight = nn.Parameter(model[0].weight.data)
    assert plan(model)["0.weight"].aliases == ("1.weight",)


OVERLAPS = {
    "transposed": torch.t,
    "rows": lambda table: table[1:],
    "columns": lambda table: table[:, 1:],
    "another shape": lambda table: table.view(2, 8),
    "an expanded row": lambda table: table[:1].expand(4, 4),
    "an element": lambda table: table[3:, 3:],
}


@pytest.mark.parametrize("cut", OVERLAPS.values(), ids=OVERLAPS)
def test_memory_that_is_shared_in_part_is_refused(cut):
    with pytest.raises(ModelRejected, match=r"0\.weight.* and 1\.weight.*share part of their memory"):
        plan(make_shared(cut))


@pytest.mark.parametrize("name", ["0.weight", "1.weight"])
def test_memory_that_is_shared_in_part_is_written_where_a_rule_leaves_one(name):
    planned = plan(make_shared(torch.t), rules={name: None})
    assert [entry.action == Leave(by_rule=True) for entry in planned.values()].count(True) == 1


@pytest.mark.parametrize(
    "cut", [lambda table: (table[:2], table[2:]), lambda table: (table[:, :2], table[:, 2:])]
)
def test_parts_of_one_memory_that_do_not_touch_are_two(cut):
    first, second = cut(torch.ones(4, 4))
    model = nn.Sequential(nn.Linear(2, 4, bias=False), nn.Linear(2, 4, bias=False))
    model[0].weight, model[1].weight = nn.Parameter(first), nn.Parameter(second)
    assert list(plan(model, rules={"*": {"stddev": 0.1}})) == ["0.weight", "1.weight"]


class Head(nn.Module):
    """A table and a head that are tied, in either order."""

    def __init__(self, names=("table", "head"), padding=None, by_memory=False):
        super().__init__()
        layers = {
            "table": nn.Embedding(50, 16, padding_idx=padding),
            "head": nn.Linear(16, 50, bias=False),
        }
        for name in names:
            self.add_module(name, layers[name])
        weight = layers["table"].weight
        layers["head"].weight = nn.Parameter(weight.data) if by_memory else weight

    def forward(self, tokens):
        return self.head(F.relu(self.table(tokens)))


ORDERS = [("table", "head"), ("head", "table")]


@pytest.mark.parametrize("by_memory", [True, False])
@pytest.mark.parametrize("names", ORDERS)
def test_a_table_that_is_a_head_starts_as_a_head(names, by_memory, client):
    report = initialize_(Head(names, by_memory=by_memory), 42, client=client)
    (row,) = report.rows
    assert (row.variance, row.distribution, "head" in row.reason) == (1 / 16, "normal", True)


def test_a_table_that_is_a_head_is_the_same_in_either_order(client):
    tables = []
    for names in ORDERS:
        model = Head(names)
        initialize_(model, 42, rename=lambda _: "table", client=client)
        tables.append(model.table.weight)
    assert torch.equal(*tables)


def test_a_row_of_padding_of_a_tied_table_is_zero():
    planned = plan(Head(padding=3))
    assert planned["table.weight[3]"].action == Constant(0.0)


@pytest.mark.parametrize("names", ORDERS)
def test_a_tied_table_is_what_was_published_of_it(names, client):
    published = publish(Head(names), 42, client=client)
    first, second = Head(names), Head(names)
    initialize_(first, 42, client=client)
    initialize_(second, published.id, client=client)
    assert torch.equal(first.table.weight, second.table.weight)


class Reads(nn.Module):
    """A table and a layer, and a forward that says how the table is used."""

    def __init__(self, forward, padding=None):
        super().__init__()
        self.table = nn.Embedding(50, 16, padding_idx=padding)
        self.layer = nn.Linear(16, 16)
        self.use = forward

    def forward(self, x):
        return self.use(self.layer, self.table, x)


class OwnHead(nn.Module):
    """A head that no table has, with a table for its kernel."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, x):
        return F.linear(x, self.weight)


class WithOwnHead(nn.Module):
    """A table and a head of its own kind, in either order."""

    def __init__(self, *, is_first=False):
        super().__init__()
        table = nn.Embedding(50, 16)
        if is_first:
            self.head = OwnHead(table.weight)
        self.table, self.layer = table, nn.Linear(16, 16)
        self.head = OwnHead(table.weight)

    def forward(self, tokens):
        return self.head(self.layer(self.table(tokens)))


HEADS = {
    "linear": lambda layer, table, x: F.linear(layer(table(x)), table.weight),
    "transposed": lambda layer, table, x: layer(table(x)) @ table.weight.T,
    "method": lambda layer, table, x: layer(table(x)).matmul(table.weight.t()),
    "cast": lambda layer, table, x: (
        layer(table(x)) @ table.weight.to(torch.float32).transpose(0, 1)
    ).float(),
    "einsum": lambda layer, table, x: torch.einsum("...d,vd->...v", layer(table(x)), table.weight),
    "functional": lambda layer, table, x: F.linear(layer(F.embedding(x, table.weight)), table.weight),
}
USED = {name: lambda use=use: Reads(use) for name, use in HEADS.items()} | {
    "own head": WithOwnHead,
    "own head first": lambda: WithOwnHead(is_first=True),
}


@pytest.mark.parametrize("make", USED.values(), ids=USED)
def test_a_table_that_is_used_as_a_head_starts_as_a_head(make, client):
    row = initialize_(make(), 42, client=client).rows[0]
    assert (row.variance, row.certainty, "head" in row.reason) == (1 / 16, "certain", True)


def test_a_table_of_which_a_part_is_a_head_is_guessed_to_start_as_one():
    model = Reads(lambda layer, table, x: layer(table(x)) @ table.weight[:30].T)
    entry = plan(model)["table.weight"]
    assert (entry.action.layer["fan_in"], entry.certainty) == (16, "guessed")


def test_a_row_of_padding_of_a_table_that_is_used_as_a_head_is_zero():
    planned = plan(Reads(HEADS["linear"], padding=3))
    assert planned["table.weight[3]"].action == Constant(0.0)


def test_a_table_whose_rows_are_mixed_is_a_lookup(client):
    """As where a softmax stands for the choice of a row."""
    model = Reads(lambda layer, table, x: layer(table(x)) + F.softmax(x.new_ones(4, 50), -1) @ table.weight)
    assert initialize_(model, 42, client=client)["table.weight"].variance == 1


KERNELS = {  # the product, and the fans of the table
    "rows in": (lambda layer, table, x: layer(F.relu(x @ table.weight)), 50, 16),
    "rows out": (lambda layer, table, x: F.relu(F.linear(layer(x), table.weight)), 16, 50),
}


@pytest.mark.parametrize(("use", "fan_in", "fan_out"), KERNELS.values(), ids=KERNELS)
def test_a_table_that_is_never_looked_up_is_a_kernel(use, fan_in, fan_out, client):
    row = initialize_(Reads(use), 42, client=client)["table.weight"]
    assert (row.fan_in, row.fan_out, row.activation) == (fan_in, fan_out, "relu")


@pytest.mark.parametrize("make", USED.values(), ids=USED)
def test_a_table_that_is_used_as_a_head_is_what_was_published_of_it(make, client):
    published = publish(make(), 42, client=client)
    first, second = make(), make()
    initialize_(first, 42, client=client)
    initialize_(second, published.id, client=client)
    assert torch.equal(first.table.weight, second.table.weight)
