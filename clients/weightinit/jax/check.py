"""`check`: measure the signals and gradients of a model with its current weights."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_flatten_with_path

from weightinit.adapters.batches import Batch, read_batch
from weightinit.adapters.check import ROWS, Moments, Signal, build_report, make_projections, number_calls
from weightinit.adapters.rules import ModelRejected
from weightinit.adapters.signal_report import SignalReport
from weightinit.jax.facts import Fact
from weightinit.jax.interpreter import Interpreter, Program, find_inner, get_body
from weightinit.jax.models import Function, OpenedModel, open_batched
from weightinit.jax.walk import PyTree, check_untraced, is_abstract, name_path

Loss = Callable[..., Any]


def check(model: PyTree, batch: Batch, *, loss: Loss | None = None) -> SignalReport:
    """Run a model forward and backward; return the variances of signals and gradients by layer.

    Every product of a signal and a kernel has a row, named by the kernel's path, and so does every activation
    that JAX calls by name, in the order of execution. The model and the random generators do not change. A
    scan that contains kernels is followed step by step. `check` needs no service. Raises ModelRejected if
    there is nothing to measure, and what the model raises.

    Args:
        model: an NNX module; a Linen module, bound or as (module, variables); an Equinox module, which takes
            one sample and is mapped over the first axis of the batch; another callable pytree; or an Applied,
            whose inputs are ignored.
        batch: an array whose first axis counts samples; a tuple of arguments; or a mapping of keyword
            arguments.
        loss: returns the scalar to differentiate, given the outputs. Default: the sum of all floating-point
            outputs, each multiplied by a fixed number from N(0, 1), so that the gradient at the outputs has
            variance 1.
    """
    opened = open_batched(model)
    check_untraced(opened.tree)
    if opened.function is None:
        raise ModelRejected("a tree of parameters cannot be called: pass Applied(function, params)")
    if any(is_abstract(leaf) for leaf in jax.tree.leaves(opened.tree)):
        raise ModelRejected("the model has shapes but no values: initialize it first")
    with _keep_generators():
        return _measure(opened, opened.function, batch, loss)


def _measure(
    opened: OpenedModel,
    function: Function,
    batch: Batch,
    loss: Loss | None,
) -> SignalReport:
    """Interpret the traced program of a model, once for its signals and once for their gradients."""
    leaves, treedef = tree_flatten_with_path(opened.tree)
    places = [place for place, (_, leaf) in enumerate(leaves) if hasattr(leaf, "dtype")]
    given, batchdef = jax.tree.flatten(batch)
    inputs = [place for place, leaf in enumerate(given) if hasattr(leaf, "dtype")]
    outdef: list[Any] = []

    def run(arrays: list[Any], data: list[Any]) -> list[Any]:
        filled, passed = [leaf for _, leaf in leaves], list(given)
        for place, array in zip(places, arrays, strict=True):
            filled[place] = array
        for place, array in zip(inputs, data, strict=True):
            passed[place] = array
        args, named = read_batch(jax.tree.unflatten(batchdef, passed))
        found, structure = jax.tree.flatten(function(jax.tree.unflatten(treedef, filled), *args, **named))
        outdef[:] = [structure]
        return [jnp.asarray(one) for one in found]

    arrays, data = [leaves[place][1] for place in places], [jnp.asarray(given[place]) for place in inputs]
    program = jax.make_jaxpr(run)(arrays, data)
    facts = [Fact(path=name_path(leaves[place][0])) for place in places]
    facts += [Fact(is_signal=True) for _ in data]
    values = [*arrays, *data]
    axes = find_axes(program, run, arrays, data)
    first = Interpreter(axes)
    outputs = first.start(program, values, facts)
    if not any(signal.role == "layer" for signal in first.signals):
        raise ModelRejected("no product of a signal and a kernel was found: nothing to check")

    def derive(probes: list[Any]) -> list[Any]:
        return Interpreter(axes, probes).start(program, values, facts)

    seeds = _make_seeds(outputs, outdef[0], loss)
    try:
        _, pull = jax.vjp(derive, [jnp.zeros(signal.shape, dtype) for signal, dtype in first.list_probes()])
        (gradients,) = pull(seeds)
    except Exception as error:  # an operation without a derivative, such as while_loop
        why = next(iter(str(error).splitlines()), "")
        raise ModelRejected(f"the model cannot be differentiated: {type(error).__name__}: {why}") from error
    for (signal, _), gradient in zip(first.list_probes(), gradients, strict=True):
        signal.gradient = Moments.of(
            np.asarray(gradient.astype(jnp.promote_types(gradient.dtype, jnp.float32)))
        )
    number_calls(first.signals)
    return excuse(build_report(first.signals), first)


def excuse(report: SignalReport, interpreter: Interpreter) -> SignalReport:
    """Return a report without the flags of values that are zero by construction, whatever the weights.

    The state of a recurrent layer starts at zero, so the kernel that it multiplies gets no gradient.
    """

    def is_silent(signal: Signal) -> bool:
        if signal.role == "activation":
            return bool(signal.sources) and all(one in interpreter.silent for one in signal.sources)
        return signal in interpreter.silent

    rows = []
    for row, signal in zip(report, [one for one in interpreter.signals if one.role in ROWS], strict=True):
        excused = ({"no gradient"} if is_silent(signal) else set()) | (
            {"zero", "vanishes"} if signal in interpreter.empty else set()
        )
        rows.append(replace(row, flags=tuple(flag for flag in row.flags if flag not in excused)))
    return SignalReport(tuple(rows))


def find_axes(program: Program, run: Loss, arrays: list[Any], data: list[Any]) -> Mapping[Any, int]:
    """Return the axis of samples of each variable of a program: the axis that grows with one more sample.

    A function mapped over samples may have it at any position.
    """
    count = next((one.shape[0] for one in data if one.ndim), 0)
    more = [
        jax.eval_shape(partial(jnp.zeros, (count + 1, *one.shape[1:]), one.dtype))
        if one.shape[:1] == (count,)
        else one
        for one in data
    ]
    axes: dict[Any, int] = {}
    try:
        compare(program, jax.make_jaxpr(run)(arrays, more), axes)
    except Exception:  # noqa: BLE001 - whatever a model raises at a number of samples that is not its own
        return {}
    return axes


def compare(program: Program, other: Program, axes: dict[Any, int]) -> None:
    """Record the axes in which the variables of two otherwise equal programs differ in length."""
    pairs = zip(get_body(program).eqns, get_body(other).eqns, strict=True)
    for equation, alike in pairs:
        for variable, grown in zip(equation.outvars, alike.outvars, strict=True):
            lengths = zip(variable.aval.shape, grown.aval.shape, strict=True)
            longer = [axis for axis, (length, more) in enumerate(lengths) if length != more]
            if len(longer) == 1:
                axes[variable] = longer[0]
        inner, beside = find_inner(equation), find_inner(alike)
        if inner is not None and beside is not None:
            compare(inner, beside, axes)


def _make_seeds(outputs: list[Any], outdef: Any, loss: Loss | None) -> list[Any]:  # noqa: ANN401
    """Return the gradient with respect to each output; integers have none."""
    places = [place for place, one in enumerate(outputs) if jnp.issubdtype(one.dtype, jnp.inexact)]
    if not places:
        raise ModelRejected("the model returns no floating-point array: there is nothing to differentiate")
    seeds: list[Any] = [np.zeros(one.shape, jax.dtypes.float0) for one in outputs]
    if loss is None:
        found = [jnp.asarray(one) for one in make_projections(outputs[place].shape for place in places)]
    else:

        def call(floats: list[Any]) -> Any:  # noqa: ANN401
            filled = list(outputs)
            for place, one in zip(places, floats, strict=True):
                filled[place] = one
            scalar = jnp.asarray(loss(jax.tree.unflatten(outdef, filled)))
            if scalar.size != 1:
                raise ValueError(f"loss must return one number; received an array of shape {scalar.shape}")
            return scalar.reshape(())

        found = jax.grad(call)([outputs[place] for place in places])
    for place, one in zip(places, found, strict=True):
        seeds[place] = one.astype(outputs[place].dtype)
    return seeds


@contextmanager
def _keep_generators() -> Iterator[None]:
    """Restore the global generators of random and NumPy after a block; JAX has none."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the user's, not ours
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
