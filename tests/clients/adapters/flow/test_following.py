"""The flow package on graphs built by hand, independent of any framework."""

import numpy as np
import pytest
from weightinit.adapters.flow.following import Follower
from weightinit.adapters.flow.graph import Node, NumpyArrays, Role
from weightinit.adapters.flow.inference import NOTHING, Inference, choose, pack


class Graph:
    """A graph that begins with a kernel, of as many outputs, and ends with another."""

    def __init__(self, outputs=8):
        self.nodes = []
        self.start = self.add(Role.PRODUCT, None, shape=(2, outputs))

    def add(self, role, call, *inputs, **fields):
        node = Node(len(self.nodes), role, "it", call, inputs, inputs=inputs, **fields)
        self.nodes.append(node)
        for one in inputs:
            one.users.append(node)
        return node

    def split(self, source, start, stop):
        return self.add(Role.SPLIT, lambda x: x[..., start:stop], source)

    def apply(self, function, source):
        return self.add(Role.ELEMENTWISE, function, source)

    def infer(self, *ends, **said):
        for one in ends:
            self.add(Role.PRODUCT, None, one)
        return Follower(NumpyArrays()).infer(self.start, **said)


def read(inference):
    return {name: (length, one.activation) for name, (length, one) in inference.parts.items()}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("bias", [1.0, -2.5])
def test_a_gate_with_a_bias_is_that_gate(bias):  # Jozefowicz et al. 2015, section 2.2
    graph = Graph()
    shifted = graph.add(Role.ADD, lambda x: x + bias, graph.start)
    found = graph.infer(graph.apply(sigmoid, shifted))
    assert (found.activation, found.certainty) == ("sigmoid", "certain")


def test_a_hard_sigmoid_is_no_relu6_with_a_bias():  # Howard et al. 2019, section 5.2
    graph = Graph()
    shifted = graph.add(Role.ADD, lambda x: x + 3, graph.start)
    assert graph.infer(graph.apply(lambda x: np.clip(x, 0, 6), shifted)).activation == "hard_sigmoid"


def test_gates_that_are_split_behind_their_function_are_kernels_of_their_own():
    graph = Graph()
    gates = graph.apply(sigmoid, graph.start)
    found = graph.infer(graph.split(gates, 0, 4), graph.split(gates, 4, 8))
    assert read(found) == {"0": (4, "sigmoid"), "1": (4, "sigmoid")}


def test_what_is_split_behind_a_rectifier_stays_one_kernel():
    graph = Graph()
    hidden = graph.apply(lambda x: np.maximum(x, 0), graph.start)
    found = graph.infer(graph.split(hidden, 0, 4), graph.split(hidden, 4, 8))
    assert (found.activation, found.parts) == ("relu", {})


def test_gates_of_one_part_are_told_apart():
    graph = Graph(12)
    both, candidate = graph.split(graph.start, 0, 8), graph.split(graph.start, 8, 12)
    gates = graph.apply(sigmoid, both)
    ends = [graph.split(gates, 0, 4), graph.split(gates, 4, 8), graph.apply(np.tanh, candidate)]
    assert read(graph.infer(*ends)) == {"0": (4, "sigmoid"), "1": (4, "sigmoid"), "2": (4, "tanh")}


def test_a_kernel_is_split_behind_its_bias_too():
    graph = Graph()
    shifted = graph.add(Role.ADD, lambda x: x + 0.5, graph.start)
    found = graph.infer(graph.split(shifted, 0, 4), graph.split(shifted, 4, 8))
    assert read(found) == {"0": (4, None), "1": (4, None)}


@pytest.mark.parametrize(("function", "name"), [(lambda x: x, None), (np.tanh, "tanh")])
def test_a_mean_that_is_written_as_a_sum_over_a_number_is_a_mean(function, name):
    graph = Graph()
    summed = graph.add(Role.REDUCE, np.sum, graph.apply(function, graph.start))
    found = graph.infer(graph.add(Role.MULTIPLY, lambda x: x / 8, summed))
    assert (found.activation, found.certainty) == (name, "certain")


def test_a_pooled_output_with_a_bias_is_the_output():
    graph = Graph()
    shifted = graph.add(Role.ADD, lambda x: x + 0.5, graph.start)
    found = graph.infer(graph.add(Role.REDUCE, np.mean, shifted))
    assert (found.activation, found.certainty) == (None, "certain")


def test_each_of_stacked_kernels_has_the_parts_of_one():
    graph = Graph(16)  # two kernels, of the halves 0 to 4 and 4 to 8 each
    stack = graph.add(Role.MOVE, lambda x: x.reshape(2, 2, 8), graph.start)
    first, second = graph.split(stack, 0, 4), graph.split(stack, 4, 8)
    found = graph.infer(graph.apply(sigmoid, first), graph.apply(np.tanh, second), copies=2)
    assert read(found) == {"0": (4, "sigmoid"), "1": (4, "tanh")}


def test_stacked_kernels_that_are_used_apart_have_no_parts():
    graph = Graph(16)
    ends = [graph.apply(np.tanh, graph.split(graph.start, *bounds)) for bounds in [(0, 8), (8, 16)]]
    found = graph.infer(*ends, copies=2)
    assert (found.activation, found.parts, found.certainty) == ("tanh", {}, "certain")


def test_three_kernels_that_nothing_follows_are_queries_keys_and_values():
    assert list(pack([(4, NOTHING), (4, NOTHING), (2, NOTHING)]).parts) == ["q", "k", "v"]


def test_values_that_an_activation_may_follow_are_those_of_attention_still():
    values = Inference("relu", "relu() follows a product with something other than a kernel.", "guessed")
    assert list(pack([(4, NOTHING), (4, NOTHING), (4, values)]).parts) == ["q", "k", "v"]


def test_three_kernels_of_which_one_is_activated_for_certain_are_numbered():
    activated = Inference("relu", "relu() follows.")
    assert list(pack([(4, NOTHING), (4, NOTHING), (4, activated)]).parts) == ["0", "1", "2"]


def test_uses_that_disagree_are_a_guess():
    found = choose([Inference("relu"), Inference("tanh")])
    assert (found.activation, found.certainty) == ("relu", "guessed")


def test_a_use_of_which_something_is_known_counts_before_one_that_is_not():
    found = choose([Inference(None, certainty="unknown"), Inference("relu")])
    assert found.activation == "relu"
