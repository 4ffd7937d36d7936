"""Open a model of any JAX library as a tree of parameters and the function that uses them."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import jax
from jax.tree_util import tree_flatten_with_path

from weightinit.adapters.batches import Batch, read_batch
from weightinit.adapters.rules import ModelRejected
from weightinit.jax import declarations
from weightinit.jax.declarations import Declarations, read_equinox, read_nnx
from weightinit.jax.keeping import chosen
from weightinit.jax.keeping.chosen import Choices
from weightinit.jax.walk import Leaf, PyTree, name_path

Function = Callable[..., Any]


class Applied:
    """A model with the function that applies it and example inputs, of which only shapes and dtypes matter.

    `function` is called with the model, or the tree of its parameters, and the inputs. It may also be a Linen
    module whose variables are the model. `initialize` returns the model.
    """

    def __init__(self, function: Any, model: PyTree, *inputs: Any) -> None:  # noqa: ANN401
        self.function = function
        self.model = model
        self.inputs = inputs


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model as a tree: `leaves` are its parameters by path, `statistics` those that norms collect.

    `widths` are the numbers of inputs that its modules declare, `declarations` the shapes of their kernels,
    `choices` their initializers. `function` takes the tree and inputs; None for a bare tree. `close` converts
    a tree back to a model. `untrained` maps leaves that are not parameters to their kind; `traces` are the
    traced programs, each with the paths of its first arguments. `takes_numbers` if the model has embeddings.
    """

    tree: PyTree
    leaves: Mapping[str, Leaf]
    close: Callable[[PyTree], Any]
    function: Function | None = None
    inputs: tuple[Any, ...] | None = None
    statistics: frozenset[str] = frozenset()
    widths: tuple[int, ...] = ()
    declarations: Declarations = field(default_factory=Declarations)
    untrained: Mapping[str, str] = field(default_factory=dict)
    takes_numbers: bool = False
    choices: Choices = field(default_factory=Choices)
    traces: list[tuple[Any, list[str]]] = field(default_factory=list)

    @property
    def is_bare(self) -> bool:
        """Whether there is no function that shows how the leaves are used."""
        return self.function is None


def open_model(model: PyTree, batch: Batch = None) -> OpenedModel:
    """Open a model: an NNX module, a bound Linen module, a callable pytree such as Equinox's, or a bare tree.

    `batch` is the model's inputs. Raises ModelRejected for a batch with a bare tree.
    """
    if batch is None:
        return _open(model)
    opened = open_batched(model)
    function, (inputs, named) = opened.function, read_batch(batch)
    if function is None:
        raise ModelRejected("batch: a tree cannot be called with it: pass Applied(function, tree)")

    def run(tree: PyTree, *given: Any) -> Any:  # noqa: ANN401
        split = len(given) - len(named)
        return function(tree, *given[:split], **dict(zip(named, given[split:], strict=True)))

    return replace(opened, function=run, inputs=(*inputs, *named.values()))


def open_batched(model: PyTree) -> OpenedModel:
    """Open a model for many samples; an Equinox model, which takes one, is mapped over them."""
    equinox, linen = sys.modules.get("equinox"), sys.modules.get("flax.linen")
    if equinox is not None and isinstance(model, equinox.Module):
        return _open(Applied(partial(map_equinox, equinox), model))
    if linen is not None and isinstance(model, tuple) and isinstance(model[0], linen.Module):
        return _open(Applied(*model))
    return _open(model)


def map_equinox(equinox: Any, tree: PyTree, *args: Any, **named: Any) -> Any:  # noqa: ANN401
    """Map an Equinox model over the samples of its arguments; states and random keys are not mapped."""

    def is_state(value: Any) -> bool:  # noqa: ANN401
        return isinstance(value, equinox.nn.State)

    def find_axis(value: Any) -> int | None:  # noqa: ANN401
        return None if is_state(value) or not getattr(value, "ndim", 0) else 0

    def call(args: Any, named: Any) -> Any:  # noqa: ANN401
        return call_equinox(equinox, tree, *args, **named)

    axes = jax.tree.map(find_axis, (args, named), is_leaf=is_state)
    names = [getattr(one, "axis_name", None) for one in find_modules(tree, equinox)]
    spread = next((name for name in names if name is not None), "batch")
    return equinox.filter_vmap(call, in_axes=axes, axis_name=spread)(args, named)


def find_modules(tree: PyTree, equinox: Any, kind: Any = object) -> Iterator[Any]:  # noqa: ANN401
    """Yield the Equinox modules of a type in a tree of modules."""
    if isinstance(tree, equinox.Module):
        if isinstance(tree, kind):
            yield tree
        children: Iterable[Any] = vars(tree).values()
    else:
        children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list | tuple) else ()
    for child in children:
        yield from find_modules(child, equinox, kind)


def call_equinox(equinox: Any, tree: PyTree, *inputs: Any, **named: Any) -> Any:  # noqa: ANN401
    """Call an Equinox model, in inference mode if its dropout needs random keys that are not given."""
    if any(getattr(module, "inference", None) is False for module in find_modules(tree, equinox)):
        args, names = jax.tree.map(lambda leaf: leaf, (inputs, named))  # a state can be used only once
        try:  # eval_shape, so that a failed call leaves nothing in the trace
            jax.eval_shape(lambda: jax.tree.leaves(equinox.filter(tree(*args, **names), equinox.is_array)))
        except RuntimeError:
            tree = equinox.nn.inference_mode(tree)
    return tree(*inputs, **named)


def _open(model: PyTree) -> OpenedModel:
    if isinstance(model, Applied):
        return _open_applied(model)
    nnx, linen = sys.modules.get("flax.nnx"), sys.modules.get("flax.linen")
    equinox = sys.modules.get("equinox")
    if nnx is not None and isinstance(model, nnx.Module):
        return _open_nnx(model, nnx)
    if linen is not None and isinstance(model, linen.Module):
        module, variables = model.unbind()
        leaves = find_leaves(variables)
        statistics = frozenset(path for path in leaves if path.startswith("batch_stats/"))
        untrained = find_untrained(variables, leaves)
        return OpenedModel(
            variables, leaves, module.bind, module.apply, None, statistics, untrained=untrained
        )
    function: Function | None = None
    if callable(model):
        is_own = equinox is not None and isinstance(model, equinox.Module)
        function = partial(call_equinox, equinox) if is_own else call
    tables = () if equinox is None else find_modules(model, equinox, equinox.nn.Embedding)
    widths = tuple(find_widths(model)) if function else ()
    opened = OpenedModel(model, find_leaves(model), lambda tree: tree, function, widths=widths)
    return replace(
        opened,
        declarations=Declarations.of(read_equinox(model)),
        untrained=find_untrained(model, opened.leaves),
        takes_numbers=any(True for _ in tables),
    )


def call(tree: PyTree, *inputs: Any, **named: Any) -> Any:  # noqa: ANN401
    """Call a callable tree."""
    return tree(*inputs, **named)


def find_leaves(tree: PyTree) -> dict[str, Leaf]:
    """Return the arrays of a tree by path, abstract ones included, without functions and other values."""
    leaves, _ = tree_flatten_with_path(tree)
    return {
        name_path(path): leaf for path, leaf in leaves if hasattr(leaf, "dtype") and hasattr(leaf, "shape")
    }


def find_untrained(tree: PyTree, leaves: Mapping[str, Leaf]) -> dict[str, str]:
    """Return the leaves of a Linen module that are not parameters: those in other collections."""
    if not isinstance(tree, Mapping) or "params" not in tree:
        return {}
    return {path: f"it is in {path.partition('/')[0]}" for path in leaves if not path.startswith("params/")}


def find_widths(model: Any) -> Iterator[int]:  # noqa: ANN401
    """Yield the numbers of inputs that the modules in a tree declare, in order."""
    if isinstance(model, list | tuple):
        children: Iterable[Any] = model
    else:
        yield from read_widths(model)
        children = vars(model).values() if dataclasses.is_dataclass(model) else ()
    for child in children:
        yield from find_widths(child)


def read_widths(module: Any) -> Iterator[int]:  # noqa: ANN401
    """Yield the number of inputs that a module declares, by the attributes of Flax and Equinox."""
    for name in ("in_features", "in_channels", "in_size", "query_size"):
        found = getattr(module, name, None)
        widths = found if isinstance(found, tuple) else (found,)
        yield from (width for width in widths[-1:] if isinstance(width, int))


def trace(opened: OpenedModel, inputs: tuple[Any, ...]) -> tuple[Any, list[str]]:
    """Trace a model with inputs; return the program and the paths of its first arguments."""
    leaves, treedef = tree_flatten_with_path(opened.tree)
    paths = [name_path(path) for path, leaf in leaves if hasattr(leaf, "dtype")]
    arrays = [leaf for _, leaf in leaves if hasattr(leaf, "dtype")]

    def run(arrays: list[Any], *inputs: Any) -> Any:  # noqa: ANN401
        given = iter(arrays)
        filled = [next(given) if hasattr(leaf, "dtype") else leaf for _, leaf in leaves]
        found = opened.function and opened.function(jax.tree.unflatten(treedef, filled), *inputs)
        return [leaf for leaf in jax.tree.leaves(found) if hasattr(leaf, "dtype")]

    with chosen.watch(opened.choices), declarations.watch(opened.declarations):
        program = jax.make_jaxpr(run)(arrays, *inputs)
    opened.traces.append((program, paths))
    return program, paths


def _open_applied(applied: Applied) -> OpenedModel:
    opened = _open(applied.model)
    function = getattr(applied.function, "apply", applied.function)
    if opened.tree is applied.model:
        statistics = _find_statistics(opened)
        return replace(opened, function=function, inputs=applied.inputs, statistics=statistics)
    nnx = sys.modules["flax.nnx"]
    graph, _ = nnx.split(applied.model)

    def run(tree: PyTree, *inputs: Any, **named: Any) -> Any:  # noqa: ANN401
        return applied.function(nnx.merge(graph, tree), *inputs, **named)

    return replace(opened, function=run, inputs=applied.inputs)


def _find_statistics(opened: OpenedModel) -> frozenset[str]:
    return frozenset(path for path in opened.leaves if path.startswith("batch_stats/"))


def _open_nnx(model: Any, nnx: Any) -> OpenedModel:  # noqa: ANN401
    """Open an NNX module, which is updated in place; only its parameters are drawn.

    Other variables, and arrays that are not variables, such as the scales of nnx.WeightNorm, are not trained;
    the state of random generators is not a tensor of the model.
    """
    graph, state = nnx.split(model)
    kinds = {"/".join(map(str, path)): type(one) for path, one in nnx.to_flat_state(state)}
    found = find_leaves(state)
    statistics = frozenset(path for path in found if issubclass(kinds[path], nnx.BatchStat))
    leaves = {path: leaf for path, leaf in found.items() if not issubclass(kinds[path], nnx.RngState)}
    untrained = {
        path: f"it is a {kinds[path].__name__}"
        if issubclass(kinds[path], nnx.Variable)
        else "it is no variable"
        for path in leaves
        if not issubclass(kinds[path], nnx.Param | nnx.BatchStat)
    }

    def close(tree: PyTree) -> Any:  # noqa: ANN401
        nnx.update(model, tree)
        return model

    def run(tree: PyTree, *inputs: Any, **named: Any) -> Any:  # noqa: ANN401
        return nnx.merge(graph, tree)(*inputs, **named)

    modules = {"/".join(map(str, path)): module for path, module in nnx.iter_modules(model)}
    widths = tuple(width for module in modules.values() for width in read_widths(module))
    read = Declarations.of(read_nnx(modules))
    opened = OpenedModel(state, leaves, close, run, None, statistics, widths, read, untrained)
    for path, module in modules.items():
        opened.choices.add(path, module)
    return opened
