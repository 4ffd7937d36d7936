"""Trace layers and functions that a model calls repeatedly, over time steps or elements, by one call.

The output of a step has a MOVE node to the output of the whole; a state ends at "the next step".
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers

from weightinit.adapters.flow.graph import Role
from weightinit.keras.layers import Layer, Operation, Tensor
from weightinit.keras.tracing.inputs import copy_tensor
from weightinit.keras.tracing.interception import find_tensors
from weightinit.keras.tracing.recording import (
    BATCH,
    Recorder,
    describe,
    explain_failure,
    make_tensor,
    name_operation,
)

# Layers that could not be followed and the reasons, by id of the layer.
Failures = dict[int, tuple[Layer, str]]


# Operations that call functions for each element, or call one of several functions.
CALLING = frozenset(["cond", "foriloop", "map", "scan", "switch", "vectorizedmap", "whileloop"])


class Unroller(Recorder, ABC):
    """Traces a single step of loops. `opaque` has the layers that could not be followed."""

    def __init__(self) -> None:
        super().__init__()
        self.opaque: Failures = {}

    @abstractmethod
    def call_layer(
        self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any], known: Any = None
    ) -> Any:
        """Call a layer on symbolic tensors. `known` are its outputs if a model's graph has them."""

    def call_functions(self, operation: Operation, args: tuple[Any, ...]) -> Any:  # noqa: PLR0911 - a case each
        """Call once each function that a control flow operation takes.

        The body of a loop is called twice, so that what follows in the next iteration is seen.
        """
        match name_operation(operation), args:
            case "cond", (_, *branches):
                return self._choose([branch() for branch in branches], "cond()")
            case "switch", (_, branches, *operands):
                return self._choose([branch(*operands) for branch in branches], "switch()")
            case "vectorizedmap", (elements,):
                return self._stack(operation.function(self._unstack(elements)), elements)
            case "foriloop", (state,):
                return repeat(partial(operation.body_fun, operation.lower), state)
            case "whileloop", (tuple() | list() as state,):
                return repeat(lambda several: operation.body(*several), state)
            case "whileloop", (state,):
                return repeat(operation.body, state)
            case "map", (function, elements):
                return self._stack(function(self._unstack(elements)), elements)
            case "scan", (function, start, elements):
                carry, output = function(map_tensors(copy_tensor, start), self._unstack(elements))
                self.add_end(find_tensors(carry), Role.PRODUCT, "the next step of scan()")
                return self._move(copy_tensor, carry), self._stack(output, elements)
            case _:
                raise TypeError(f"{describe(operation)} is not known")

    def _choose(self, results: list[Any], label: str) -> Any:
        """Continue with the first of several results; the others end at an unseen place."""
        self.add_end(find_tensors(results[1:]), Role.PRODUCT, f"another branch of {label}")
        return results[0]

    def _unstack(self, elements: Any) -> Any:
        """Return one element along the first axis."""
        return self._move(lambda one: make_tensor(one.shape[1:], one.dtype), elements)

    def _stack(self, outputs: Any, elements: Any) -> Any:
        """Return as many outputs along the first axis as there are elements."""
        length = find_tensors(elements)[0].shape[0]
        return self._move(lambda one: make_tensor((length, *one.shape), one.dtype), outputs)

    def _move(self, make: Callable[[Tensor], Tensor], tensors: Any) -> Any:
        """Return new tensors for given ones, connected by MOVE nodes."""
        moved = map_tensors(make, tensors)
        for source, made in zip(find_tensors(tensors), find_tensors(moved), strict=True):
            self.link(Role.MOVE, [source], [made], "a part along the first axis")
        return moved

    def call_in_time(self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any], known: Any) -> Any:
        """Call a layer over time steps (the second axis) for a single step."""
        if isinstance(layer, layers.TimeDistributed):
            return self._call_distributed(layer, args[0])
        outputs = layer.compute_output_spec(*args, **keywords) if known is None else known
        given, made = find_tensors((args, keywords)), find_tensors(outputs)
        if isinstance(layer, layers.RNN):
            self._call_recurrent(layer, given, made)
        else:
            self._call_directions(layer, given, made)
        return outputs

    def _call_directions(self, layer: Layer, given: list[Tensor], made: list[Tensor]) -> None:
        """Call both layers of a Bidirectional layer."""
        half = len(given) // 2
        ways = [(layer.forward_layer, given[1 : half + 1]), (layer.backward_layer, given[half + 1 :])]
        found = [
            find_tensors(self.call_layer(one, (given[0],), {"initial_state": states} if states else {}))
            for one, states in ways
        ]
        first, second = found[0][0], found[1][0]
        states = [state for outputs in found for state in outputs[1:]]
        if layer.merge_mode is None:
            sources = [[first], [second]]
        elif layer.merge_mode == "concat":
            sources = [[first, second]]
        else:
            sources = [[first * second if layer.merge_mode == "mul" else first + second]]
        for inputs, output in zip([*sources, *([state] for state in states)], made, strict=False):
            self.link(Role.MOVE, inputs, [output], describe(layer))

    def _call_distributed(self, layer: Layer, inputs: Tensor) -> Tensor:
        """Call the layer inside TimeDistributed on a single time step."""
        moment = make_tensor((inputs.shape[0], *inputs.shape[2:]), inputs.dtype)
        self.link(Role.MOVE, [inputs], [moment], describe(layer))
        output = find_tensors(self.call_layer(layer.layer, (moment,), {}))[0]
        made = make_tensor((output.shape[0], inputs.shape[1], *output.shape[1:]), output.dtype)
        self.link(Role.MOVE, [output], [made], describe(layer))
        return made

    def _call_recurrent(self, layer: Layer, given: list[Tensor], made: list[Tensor]) -> None:
        """Call the cell of a recurrent layer on one time step; its states end at the next one."""
        inputs = given[0]
        moment = make_tensor((inputs.shape[0], *inputs.shape[2:]), inputs.dtype)
        self.link(Role.MOVE, [inputs], [moment], describe(layer))
        states: Any = given[1:]
        if not states:
            made_states = layer.get_initial_state(BATCH)
            states = keras.tree.map_structure(lambda one: make_tensor(one.shape, moment.dtype), made_states)
        count = len(self.nodes)
        try:
            output, kept = self.call_layer(layer.cell, (moment, states), {})
        except Exception as error:  # noqa: BLE001 - as above
            self.forget(count)
            why = explain_failure(layer.cell, error)
            self.opaque[id(layer)] = layer, why
            self.link(Role.UNKNOWN, given, made, describe(layer), why)
            return
        kept = find_tensors(kept)
        self.link(Role.MOVE, [output], made[:1], describe(layer))
        for state, tensor in zip(kept, made[1:], strict=False):
            self.link(Role.MOVE, [state], [tensor], describe(layer))
        self.add_end(kept, Role.PRODUCT, f"the next moment of {layer.name}")


def repeat(body: Callable[[Any], Any], state: Any) -> Any:
    """Call the body of a loop twice, so that what follows in the next iteration is seen."""
    return body(body(state))


def map_tensors(make: Callable[[Tensor], Tensor], tensors: Any) -> Any:
    """Apply `make` to each tensor of a structure. Raises TypeError for anything else in it."""

    def convert(one: Any) -> Tensor:
        if not hasattr(one, "shape") or not hasattr(one, "dtype"):
            raise TypeError(f"{type(one).__name__} is no tensor")
        return make(one)

    return keras.tree.map_structure(convert, tensors)
