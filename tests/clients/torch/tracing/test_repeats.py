"""Repeated blocks are analysed once, with the same result as if analysed each time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import fx, nn
from weightinit.adapters.flow.channels import ChannelFinder
from weightinit.adapters.flow.functions import GRID
from weightinit.adapters.flow.graph import Node, Role, freeze
from weightinit.adapters.flow.signals import Evaluator, Signal
from weightinit.torch.tracing.activations import ActivationFinder, TorchArrays
from weightinit.torch.tracing.forms import FormCache
from weightinit.torch.tracing.symbolic import trace_whole


class Counter:
    """A function that counts its calls."""

    def __init__(self, function):
        self.function = function
        self.calls = 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


def apply(call, source, *arguments, role=Role.ELEMENTWISE):
    """Make the node of a call on another node."""
    return Node(source.index + 1, role, call=call, arguments=(source, *arguments), inputs=(source,))


def start():
    """Make the node of a kernel with six outputs."""
    return Node(0, Role.PRODUCT, shape=(2, 6))


class TestArguments:
    def test_equal_arguments_are_described_alike(self):
        first, second = ([1, slice(None, 2), {"a": (start(), None)}] for _ in range(2))
        assert freeze(first, lambda _: "x") == freeze(second, lambda _: "x")
        assert hash(freeze(first, lambda _: "x"))

    @pytest.mark.parametrize(
        "others",
        [((1,), [1]), (1, 1.0), (1, True), (slice(1), slice(2)), ({"a": 1}, {"b": 1})],
        ids=["list", "float", "bool", "slice", "key"],
    )
    def test_other_arguments_are_told_apart(self, others):
        first, second = (freeze(one, lambda _: "x") for one in others)
        assert first != second

    def test_nodes_are_told_apart_by_what_is_told_of_them(self):
        node, other = start(), start()
        assert freeze((node, other), id) != freeze((other, node), id)


class TestValues:
    def test_equal_calls_are_evaluated_once(self):
        evaluator, call = Evaluator(TorchArrays()), Counter(torch.tanh)
        for source in (start(), start()):
            found = evaluator.evaluate(apply(call, source), {source: Signal()})
            assert np.allclose(found.numpy(), np.tanh(GRID))
        assert call.calls == 1

    def test_calls_with_other_arguments_are_evaluated_apart(self):
        evaluator, source = Evaluator(TorchArrays()), start()
        for slope in (0.1, 0.2):
            node = apply(F.leaky_relu, source, slope)
            assert float(evaluator.evaluate(node, {source: Signal()})[0]) == pytest.approx(-8 * slope)

    def test_calls_on_other_values_are_evaluated_apart(self):
        evaluator, source = Evaluator(TorchArrays()), start()
        first, second = (
            evaluator.evaluate(apply(torch.abs, source), {source: Signal(torch.from_numpy(values))})
            for values in (2 * GRID, 3 * GRID)
        )
        assert (float(first[0]), float(second[0])) == (16, 24)

    def test_an_operation_in_place_changes_nothing_for_others(self):
        evaluator, source = Evaluator(TorchArrays()), start()
        evaluator.evaluate(apply(torch.relu_, source), {source: Signal()})
        found = evaluator.evaluate(apply(torch.neg, source), {source: Signal()})
        assert np.array_equal(found.numpy(), -GRID)

    def test_an_argument_without_a_hash_is_evaluated_too(self):
        evaluator, source = Evaluator(TorchArrays()), start()
        node = apply(lambda x, other: x + torch.from_numpy(other), source, np.ones_like(GRID))
        found = evaluator.evaluate(node, {source: Signal()})
        assert np.array_equal(found.numpy(), GRID + 1)


class TestChannels:
    def test_ways_that_move_alike_are_moved_once(self):
        finder, call = ChannelFinder(TorchArrays()), Counter(lambda x, rows: x[:, rows])
        for source in (start(), start()):
            part = apply(call, source, slice(2, 4), role=Role.SPLIT)
            assert finder.find(source, part, {source}) == [2, 3]
        assert call.calls == 1

    def test_ways_that_take_other_parts_are_moved_apart(self):
        finder, source = ChannelFinder(TorchArrays()), start()
        parts = [
            apply(lambda x, rows: x[:, rows], source, slice(low, low + 3), role=Role.SPLIT) for low in (0, 3)
        ]
        assert [finder.find(source, part, {source}) for part in parts] == [[0, 1, 2], [3, 4, 5]]

    def test_ways_from_another_shape_are_moved_apart(self):
        finder, found = ChannelFinder(TorchArrays()), []
        for size in (6, 8):
            source = Node(0, Role.PRODUCT, shape=(2, size))
            found.append(finder.find(source, apply(torch.flatten, source, role=Role.SPLIT), {source}))
        assert [len(one) for one in found] == [6, 8]

    def test_parts_of_one_output_share_what_comes_before_them(self):
        finder, source, call = ChannelFinder(TorchArrays()), start(), Counter(lambda x: x.flip(1))
        moved = apply(call, source, role=Role.MOVE)
        parts = [apply(lambda x, place: x[:, place], moved, place, role=Role.SPLIT) for place in (0, 1)]
        assert [finder.find(source, part, {source, moved}) for part in parts] == [[5], [4]]
        assert call.calls == 1


class TestForms:
    def test_a_function_that_leaves_out_a_result_runs_once(self):
        forms, tensor = FormCache(), torch.empty(2, 3, device="meta")
        call = Counter(lambda x: (x.t(), None))
        call.__name__ = "call"
        for _ in range(2):
            made, left_out = forms.run(call, (tensor,), {})
            assert (made.shape, made.stride(), left_out) == ((3, 2), (1, 3), None)
        assert call.calls == 1


def triple(x):
    """Triple, as a function that fx must not enter: it asks for values."""
    return x * 3 if x.sum() > 0 else x


fx.wrap("triple")


class Passing(nn.Module):
    """A model that passes what it has got to operations in other ways than one after the other."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = nn.Linear(8, 2)
        self.table = [torch.zeros(4)]

    def forward(self, x):
        x = self.first(x) + self.table[0]
        return self.second(torch.relu(torch.cat([x, torch.ones(4)], dim=-1)))


class TestTraces:
    def test_stand_ins_in_a_list_are_followed(self):
        model = Passing()
        assert ActivationFinder(model).find(model.first.weight, model.first).activation == "relu"

    def test_a_tensor_that_a_forward_makes_becomes_no_attribute(self):
        model = Passing()
        before = set(vars(model))
        assert trace_whole(model) is not None
        assert set(vars(model)) == before

    def test_a_function_that_fx_must_not_enter_is_one_node(self):
        class Model(nn.Module):
            def forward(self, x):
                return triple(x)

        nodes = trace_whole(Model())
        assert [node.label for node in nodes if node.role is Role.UNKNOWN] == ["triple()"]
