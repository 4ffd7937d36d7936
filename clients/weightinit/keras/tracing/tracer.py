"""Trace a model and its layers by calls on symbolic tensors."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import layers

from weightinit.adapters.batches import Batch
from weightinit.adapters.flow.graph import Node, Role
from weightinit.adapters.rules import ModelRejected
from weightinit.keras.layers import Activation, Layer, Operation, Tensor, find_kernel, is_cell, is_known
from weightinit.keras.tracing.inputs import (
    copy_tensor,
    fill_tensor,
    find_functional,
    infer_einsum,
    list_inputs,
    order_inputs,
)
from weightinit.keras.tracing.interception import State, find_tensors, has_others, intercept
from weightinit.keras.tracing.loops import CALLING, Failures, Unroller
from weightinit.keras.tracing.operations import ROLES, make_node
from weightinit.keras.tracing.recording import (
    call_completed,
    describe,
    explain_failure,
    fill_shape,
    has_layers,
    is_elementwise,
    is_from_keras,
    is_own,
    name_function,
    name_operation,
)


@dataclass(frozen=True, slots=True)
class Traced:
    """The graph of a model. `outside` is the reason why what comes after it is unknown, if it is."""

    nodes: list[Node]
    outside: str


def trace_model(
    root: Layer,
    state: State,
    failures: Failures,
    outside: str = "",
    *,
    batch: Batch = None,
    training: bool = False,
) -> Iterator[Traced]:
    """Trace a built model, then each layer inside those that could not be followed.

    `failures` receives the latter, with the reasons. Raises ModelRejected if the model cannot be called on a
    batch.
    """
    tracer = Tracer(state, training=training)
    with intercept(tracer):
        tracer.call_root(root, batch)
    yield Traced(tracer.nodes, outside)
    for layer, why in tracer.opaque.values():
        if id(layer) in failures:
            continue
        failures[id(layer)] = layer, why
        for child in layer._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001 - no public way
            if child.weights:
                yield from trace_model(child, state, failures, why, training=training)


class Tracer(Unroller):
    """Calls layers on symbolic tensors and records a graph; `opaque` has layers that cannot be followed.

    The state of the model is saved before custom code runs.
    """

    def __init__(self, state: State, *, training: bool) -> None:
        super().__init__()
        self._state = state
        self._training = training

    def call_root(self, root: Layer, batch: Batch = None) -> None:
        """Call a model on inputs like a batch, or of the shapes that it was built for."""
        why = f"the inputs of {type(root).__name__} are not known"
        for args, keywords in list_inputs(root, batch):
            self.forget(0)
            self.opaque.clear()
            self.add_inputs(find_tensors((args, keywords)))
            try:
                outputs = self.call_layer(root, args, keywords)
            except Exception as error:  # noqa: BLE001 - code of the user's, run on stand-ins for tensors
                why = explain_failure(root, error)
                continue
            if id(root) not in self.opaque:
                self.add_end(find_tensors(outputs), Role.OUTPUT, "the output")
                return
            why = self.opaque[id(root)][1]
        if batch is not None and not self._training:
            raise ModelRejected(f"batch: {why}")
        self.forget(0)
        self.opaque[id(root)] = root, why

    def call_layer(
        self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any], known: Any = None
    ) -> Any:
        """Call a layer on symbolic tensors. `known` are its outputs if a model's graph has them."""
        if not is_from_keras(type(layer)):
            self._state.note()
        functional = find_functional(layer)
        if functional is not None:
            return self._run_functional(functional, args[0] if args else next(iter(keywords.values())))
        if is_own(layer) and not is_cell(layer):
            return self._call_own(layer, args, keywords, known)
        return self._open(layer, args, keywords, known)

    def _call_own(self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any], known: Any) -> Any:
        """Call one of Keras' own layers."""
        if isinstance(layer, layers.Activation):
            return self._activate(layer.activation, args[0], describe(layer))
        if isinstance(layer, layers.TimeDistributed | layers.Bidirectional | layers.RNN):
            return self.call_in_time(layer, args, keywords, known)
        if is_known(layer):
            return self._call_kernel(layer, args, keywords, known)
        if name_operation(layer) not in ROLES:
            return self._open(layer, args, keywords, known)
        outputs = self._infer_outputs(layer, args, keywords, known)
        return self.record(
            layer, args, keywords, outputs, call=partial(call_completed, layer, self._training)
        )

    def call_operation(
        self, operation: Operation, args: tuple[Any, ...], keywords: dict[str, Any], known: Any = None
    ) -> Any:
        """Call an operation that is not a layer."""
        if hasattr(operation, "_nodes_by_depth"):
            return self._run_functional(operation, args[0])
        if not is_own(operation):
            return self._open(operation, args, keywords, known)
        if name_operation(operation) in CALLING and not keywords:
            count = len(self.nodes)
            self._state.note()
            with suppress(Exception):  # as above
                return self.call_functions(operation, args)
            self.forget(count)
        return self.record(operation, args, keywords, self._infer_outputs(operation, args, keywords, known))

    def _infer_outputs(
        self, operation: Operation, args: tuple[Any, ...], keywords: dict[str, Any], known: Any
    ) -> Any:
        return operation.compute_output_spec(*args, **keywords) if known is None else known

    def _open(self, layer: Operation, args: tuple[Any, ...], keywords: dict[str, Any], known: Any) -> Any:
        """Follow a layer's call; if that fails, add it as one node and record why."""
        count = len(self.nodes)
        self._state.note()
        call = partial(call_completed, layer, self._training)
        outer, self.place = self.place, f" in {describe(layer)}"
        try:
            outputs = call(*args, **keywords)
            if find_tensors(outputs) and not has_others(outputs):
                return outputs
            why = f"{type(layer).__name__}.call returns something else than tensors"
        except Exception as error:  # noqa: BLE001 - as above
            why = explain_failure(layer, error)
        finally:
            self.place = outer
        self.forget(count)
        outputs = self._infer_outputs(layer, args, keywords, known)
        tensors, made = find_tensors((args, keywords)), find_tensors(outputs)
        is_bare = not isinstance(layer, keras.Layer) or not (layer.weights or has_layers(layer))
        if is_bare and len(tensors) == len(made) == 1 and len(args) == 1:
            return self._try(partial(call, **keywords), describe(layer), tensors[0], why)
        if isinstance(layer, keras.Layer):
            self.opaque[id(layer)] = layer, why
        self.link(Role.UNKNOWN, tensors, made, describe(layer), why)
        return outputs

    def _try(self, function: Any, label: str, tensor: Tensor, why: str) -> Tensor:
        """Add a node for a function that fails on symbolic tensors; ELEMENTWISE if its values show that."""
        made = copy_tensor(tensor)
        if not is_elementwise(function, fill_shape(tensor.shape)):
            self.link(Role.UNKNOWN, [tensor], [made], label, why)
            return made
        source = self.find(tensor)
        self.add(Node(0, Role.ELEMENTWISE, label, function, (source,), inputs=(source,)), [made])
        return made

    def _activate(self, activation: Activation, tensor: Tensor, label: str = "") -> Tensor:
        """Apply an activation, a function or layer, to a tensor."""
        if activation is None or activation is keras.activations.linear:
            return tensor
        if isinstance(activation, keras.Layer):
            return self.call_layer(activation, (tensor,), {})
        name = name_function(activation)
        if ROLES.get(name) is Role.ELEMENTWISE:
            made = copy_tensor(tensor)
            node = make_node(activation, name, activation, (self.find(tensor),), {})
            node.label = label or describe(activation)
            self.add(node, [made])
            return made
        if not name:
            self._state.note()
        count = len(self.nodes)
        why = f"{describe(activation)} takes no symbolic tensors"
        try:
            found = activation(tensor)
        except Exception:  # noqa: BLE001 - as above
            found = None
        if not isinstance(found, keras.KerasTensor):
            self.forget(count)
            return self._try(activation, label or describe(activation), tensor, why)
        if label and len(self.nodes) == count + 1:
            self.nodes[count].label = label
        return found

    def _call_kernel(self, layer: Layer, args: tuple[Any, ...], keywords: dict[str, Any], known: Any) -> Any:
        """Add a node for a layer with kernels, and apply its activation."""
        given = find_tensors((args, keywords))
        if known is not None:
            made = find_tensors(known)[0]
        elif isinstance(layer, layers.EinsumDense):
            made = infer_einsum(layer, given[0])
        else:
            made = copy_tensor(find_tensors(layer.compute_output_spec(*args, **keywords))[0])
        kernels = ((one, find_kernel(layer, one.name)) for one in layer.weights)
        keys = frozenset(id(one) for one, kernel in kernels if kernel is not None and kernel.activated)
        # In reverse, the table is the kernel.
        if keywords.get("reverse") and isinstance(layer, layers.ReversibleEmbedding) and layer.tie_weights:
            keys |= {id(one) for one in layer.weights if one.name == "embeddings"}
        inputs = tuple(dict.fromkeys(map(self.find, given)))
        axis = 1 if getattr(layer, "data_format", None) == "channels_first" else -1
        self.add(Node(0, Role.PRODUCT, describe(layer), inputs=inputs, parameters=keys, axis=axis), [made])
        return self._activate(getattr(layer, "activation", None), made)

    def _run_functional(self, model: Operation, inputs: Any) -> Any:
        """Run the graph of a functional model on new tensors of its own shapes."""
        known = dict(zip(map(id, model.inputs), order_inputs(model, inputs), strict=True))
        for depth in sorted(model._nodes_by_depth, reverse=True):  # noqa: SLF001 - no public way
            for node in model._nodes_by_depth[depth]:  # noqa: SLF001
                if node.is_input or any(id(tensor) not in known for tensor in node.input_tensors):
                    continue
                args, keywords = node.arguments.fill_in(known)
                call = self.call_layer if isinstance(node.operation, keras.Layer) else self.call_operation
                copies = [fill_tensor(tensor) for tensor in node.outputs]
                fresh = copies[0] if len(copies) == 1 else copies
                outputs = call(node.operation, args, dict(keywords), fresh)
                known |= zip(map(id, node.outputs), find_tensors(outputs), strict=True)
        outputs = [known[id(tensor)] for tensor in model.outputs]
        return keras.tree.pack_sequence_as(model._outputs_struct, outputs)  # noqa: SLF001
