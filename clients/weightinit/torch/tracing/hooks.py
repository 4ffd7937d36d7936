"""Decide from their code whether forward hooks of a module may change its inputs or outputs.

Hooks are not called during a trace, since they may have any side effect. Where one may change a signal, what
follows is unknown.
"""

import ast
import dis
import inspect
import textwrap
from collections.abc import Iterable
from functools import partial
from types import CodeType
from typing import Any

from torch import nn

# Methods and functions that return None, which lambdas call to store or print a signal.
SILENT = frozenset(["append", "add", "appendleft", "extend", "insert", "print", "put", "update", "write"])
# Methods of tensors with a trailing underscore that do not change values.
HARMLESS = frozenset(["detach_", "requires_grad_", "share_memory_"])


def explain_inputs(module: nn.Module) -> str:
    """Return why pre-hooks may change the inputs of a module; "" if they do not."""
    return _explain(module, module._forward_pre_hooks.values(), "pre-hook", "gets")  # noqa: SLF001 - no public way


def explain_outputs(module: nn.Module) -> str:
    """Return why hooks may change the output of a module; "" if they do not."""
    return _explain(module, module._forward_hooks.values(), "hook", "returns")  # noqa: SLF001 - as above


def _explain(module: nn.Module, hooks: Iterable[Any], kind: str, verb: str) -> str:
    if not any(map(may_change, hooks)):
        return ""
    return f"a forward {kind} of {type(module).__name__} may change what it {verb}"


def may_change(hook: Any) -> bool:  # noqa: ANN401 - anything that can be called
    """Return whether a hook may change a signal: it returns a value, or calls an in-place method.

    PyTorch's own hooks compute weights, gather shards and count; none of them changes a signal.

    >>> may_change(lambda module, inputs, output: output * 2), may_change(lambda *_: None)
    (True, False)
    """
    while isinstance(hook, partial):
        hook = hook.func
    kind = type(hook) if not hasattr(hook, "__code__") else hook
    if isinstance(hook, nn.Module):
        return True
    if str(getattr(kind, "__module__", "")).partition(".")[0] == "torch":
        return False
    code = getattr(hook, "__code__", None) or getattr(type(hook).__call__, "__code__", None)
    if not isinstance(code, CodeType):
        return True
    if any(is_writing(name) for name in code.co_names):
        return True
    return returns_value(code) and not (code.co_name == "<lambda>" and calls_silent(code))


def is_writing(name: str) -> bool:
    """Return whether a name is that of an in-place method of tensors."""
    return name.endswith("_") and not name.startswith("_") and name not in HARMLESS


def returns_value(code: CodeType) -> bool:
    """Return whether a function may return a value other than None.

    >>> returns_value((lambda: None).__code__), returns_value((lambda: 1).__code__)
    (False, True)
    """
    steps = list(dis.get_instructions(code))
    for before, step in zip([None, *steps], steps, strict=False):
        if step.opname == "RETURN_CONST" and step.argval is not None:
            return True
        is_none = before is not None and before.opname == "LOAD_CONST" and before.argval is None
        if step.opname == "RETURN_VALUE" and (not is_none or step.is_jump_target):
            return True
    return False


def calls_silent(code: CodeType) -> bool:
    """Return whether a lambda's source is a call of a function that returns None."""
    try:
        source = textwrap.dedent(inspect.getsource(code)).strip()
        tree = ast.parse(source)
    except (OSError, SyntaxError, TypeError):  # entered in a shell, or within a larger statement
        return False
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
    return bool(bodies) and all(
        isinstance(body, ast.Call) and getattr(body.func, "attr", getattr(body.func, "id", "")) in SILENT
        for body in bodies
    )
