"""Decide which leaves keep what the author of a model chose, before their traced use is considered.

The author is whoever wrote the model: leaves that are not trained, our initializers, constant initializers
and constant values are kept. `plan` uses this module.
"""

from collections import Counter
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from weightinit.adapters.actions import (
    LARGEST,
    SMALLEST,
    Block,
    Certainty,
    Constant,
    Draw,
    Leave,
    PublishedDraw,
    Unknown,
    find_layout,
)
from weightinit.jax.activations import ActivationFinder
from weightinit.jax.arrays import name_dtype
from weightinit.jax.initializers import Initializer
from weightinit.jax.keeping.chosen import Choice
from weightinit.jax.layers import describe_leaf
from weightinit.jax.models import OpenedModel
from weightinit.jax.tracing.gradients import find_gradients
from weightinit.jax.walk import Leaf, is_abstract
from weightinit.spec.dtypes import DTYPES
from weightinit.spec.fields import LayerFields
from weightinit.spec.layer import Spec
from weightinit.spec.layouts import write_out

UNTRAINED = "It is not trained"
FROZEN = f"{UNTRAINED}: stop_gradient is all that takes it."
HIDDEN = f"{UNTRAINED}, as far as the outputs show: stop_gradient is behind all that uses it."


class Author:
    """Finds leaves that the author of a model fixed.

    Leaves that are not trained are kept only if others are trained.
    """

    def __init__(self, opened: OpenedModel, finder: ActivationFinder) -> None:
        self._opened = opened
        self._known = {
            path: describe_leaf(path, leaf, opened, finder) for path, leaf in opened.leaves.items()
        }
        self._choices = {path: opened.choices.find(path, leaf) for path, leaf in opened.leaves.items()}
        made = (choice.made for choice in self._choices.values() if choice)
        specs = (one.spec for one in made if isinstance(one, Initializer))
        self._named = Counter((str(spec.seed), spec.name) for spec in specs)

    def find(self, path: str) -> Block | None:
        """Return the block that replaces a leaf's own block; None if the author did not fix it."""
        leaf, known, choice = self._opened.leaves[path], self._known[path], self._choices[path]
        if 0 in leaf.shape:
            return None
        if kept := self._find_untrained(path, leaf, known):
            return kept
        if choice and isinstance(choice.made, Initializer) and name_dtype(leaf.dtype) in DTYPES:
            return self._take_over(leaf, known, choice, choice.made)
        value = choice.read_value() if choice else None
        if choice and value is not None and (isinstance(known.action, Draw) or is_abstract(leaf)):
            return Block(Constant(value), f"{choice.name}, its layer's {choice.argument}, sets it.")
        held = find_uniform(leaf)
        if held is not None and self._is_chosen(path, held):
            reason = f"It was {held:g} everywhere, unlike the rest of the model: kept as its author set it."
            if not isinstance(known.action, Draw):
                reason = f"Its use is not known. It was {held:g} everywhere."
            return Block(Constant(held), reason, certainty="guessed")
        return None

    def describe(self, path: str) -> Block:
        """Return a leaf's block from its use; a guess if its layer has an initializer that is not used."""
        known, choice = self._known[path], self._choices[path]
        is_used = choice is None or choice.is_default or choice.read_value() is not None
        if choice is None or is_used or not isinstance(known.action, Draw):
            return known
        unused = f"Its layer's {choice.argument}, {choice.name}, is not used."
        certainty: Certainty = "unknown" if known.certainty == "unknown" else "guessed"
        return replace(known, reason=f"{known.reason} {unused}".strip(), certainty=certainty)

    def find_axes(self, path: str) -> str:
        """Return the layout of a leaf; "" if it is unknown."""
        kept = self.find(path)
        if kept is not None and isinstance(kept.action, PublishedDraw):
            return write_out(kept.action.spec.layout, len(kept.action.spec.shape))
        return find_layout([self._known[path]])

    def _find_untrained(self, path: str, leaf: Leaf, known: Block) -> Block | None:
        """Return the block of a leaf that is not trained; None for others.

        Leaves of norms that are set to a constant are not kept.
        """
        is_drawn = isinstance(known.action, Draw | Unknown)
        untrained, statistics = self._opened.untrained, self._opened.statistics
        if path in untrained or path in statistics:
            if not is_drawn and (is_abstract(leaf) or path in statistics):
                return None
            what = untrained.get(path, "it is a statistic")
            return Block(Leave(), f"{UNTRAINED}: {what}, and no parameter.")
        if path in self._frozen:
            return Block(Leave(), FROZEN)
        return Block(Leave(), HIDDEN, certainty="guessed") if path in self._hidden else None

    @cached_property
    def _gradients(self) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """The paths of trained, frozen and hidden leaves, over all inputs that the model was traced with."""
        found: list[set[str]] = [set(), set(), set()]
        for program, paths in self._opened.traces:
            gradients = find_gradients(program, len(paths))
            for group, some in zip(
                found, (gradients.trained, gradients.frozen, gradients.hidden), strict=True
            ):
                group.update(paths[index] for index in some)
        trained, frozen, hidden = map(frozenset, found)
        return trained, frozen - hidden - trained, hidden - trained

    @property
    def _frozen(self) -> frozenset[str]:
        trained, frozen, _ = self._gradients
        return frozen if trained else frozenset()

    @property
    def _hidden(self) -> frozenset[str]:
        trained, _, hidden = self._gradients
        return hidden if trained else frozenset()

    def _take_over(self, leaf: Leaf, known: Block, choice: Choice, made: Initializer) -> Block:
        """Return the block of one of our initializers, with its seed and name unless leaves share these."""
        spec, layout = made.specify(tuple(leaf.shape), name_dtype(leaf.dtype)), find_layout([known])
        if layout and (choice.flattened or "B" in layout):
            spec = replace(spec, layout=layout)
        kind = f"The initializer ({spec.scheme}) of its layer"
        if spec.seed is None:
            return Block(Draw(read_layer(spec)), f"{kind}.")
        if self._named[str(spec.seed), spec.name] > 1:
            reason = f"{kind}. Several have the name {spec.name!r}: each gets that of its path."
            return Block(Draw(read_layer(spec)), reason)
        return Block(
            PublishedDraw(spec, None), f"{kind}, by the name {spec.name!r} and the seed {spec.seed}."
        )

    def _is_chosen(self, path: str, value: float) -> bool:
        """Return whether the author set a leaf to one value."""
        known, leaf = self._known[path], self._opened.leaves[path]
        if isinstance(known.action, Draw):
            return value == 0 and self._is_initialized
        if isinstance(known.action, Constant) or self._opened.is_bare or path in self._opened.statistics:
            return False
        if sum(size > 1 for size in leaf.shape) > 1:
            return False
        return SMALLEST < abs(value) < LARGEST or (value == 0 and self._is_initialized)

    @cached_property
    def _is_initialized(self) -> bool:
        """Whether the model looks initialized: at least one kernel is not constant."""
        known = ((block, self._opened.leaves[path]) for path, block in self._known.items())
        drawn = (leaf for block, leaf in known if isinstance(block.action, Draw))
        return any(is_readable(leaf) and leaf.size > 1 and find_uniform(leaf) is None for leaf in drawn)


def read_layer(spec: Spec) -> LayerFields:
    """Return the layer fields that a spec sets, always with the activation, so that none is inferred."""
    known = {row.name: row.default for row in fields(Spec)}
    said = {name: getattr(spec, name) for name in LayerFields.__annotations__}
    kept = {"layout", "activation"}
    layer = {name: value for name, value in said.items() if name in kept or value != known[name]}
    return cast("LayerFields", layer)


def is_readable(leaf: Leaf) -> bool:
    """Return whether all values of a leaf are floating-point numbers in this process's memory."""
    if is_abstract(leaf) or not jnp.issubdtype(leaf.dtype, jnp.floating) or 0 in leaf.shape:
        return False
    return not isinstance(leaf, jax.Array) or (leaf.is_fully_addressable and not leaf.is_deleted())


def find_uniform(leaf: Leaf) -> float | None:
    """Return the value that all elements of a leaf have; None if they differ or cannot be read."""
    if not is_readable(leaf):
        return None
    if isinstance(leaf, jax.Array) and any(device.platform != "cpu" for device in leaf.devices()):
        array: Any = leaf  # only two numbers are copied from the device
    else:
        array = np.asarray(leaf)
        if array.flat[0] != array.flat[-1]:
            return None
    low, high = float(array.min()), float(array.max())
    return low if low == high else None
