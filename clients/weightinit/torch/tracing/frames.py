"""Inspect byte code to decide whether code could distinguish a stand-in from a real tensor.

A stand-in is the proxy that torch.fx passes through a forward (see `stand_ins`). A forward that asks for
types or catches errors may take another branch on it, so `symbolic` marks its trace as doubtful.
"""

import dis
import inspect
import itertools
from collections.abc import Iterator
from functools import lru_cache, partial
from types import CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import nn

# Functions and attributes by which code can distinguish a stand-in from a tensor without an error. isinstance
# is patched to treat stand-ins as tensors.
FUNCTIONS = frozenset(
    [
        *("type", "issubclass", "callable", "str", "repr", "suppress"),
        *("is_tensor_like", "has_torch_function", "has_torch_function_unary"),
        *("is_fx_tracing", "is_fx_symbolic_tracing"),
    ]
)
ATTRIBUTES = FUNCTIONS - {"type", "str"} | {"__class__"}  # devices have `type`, pandas has `str`
# Instructions that catch an exception, perhaps one that only a stand-in raises; and `case Tensor():`.
CATCHING = frozenset(["CHECK_EXC_MATCH", "CHECK_EG_MATCH", "MATCH_CLASS"])
NAMING = frozenset(["LOAD_GLOBAL", "LOAD_NAME", "LOAD_ATTR", "LOAD_METHOD"])
# Used in torchvision and timm: they ask for the type of a module, and for a PyTorch setting.
HARMLESS = frozenset(["_log_api_usage_once", "is_autocast_enabled", "get_autocast_dtype"])
FOREIGN = ("torch", "numpy", "builtins")
# A forward that calls more functions than this is not analyzed to the end, and assumed to branch.
MAX_FUNCTIONS = 256


def is_asserting_above() -> bool:
    """Return whether the code outside PyTorch that asks for a tensor's truth value is an assertion."""
    frame = inspect.currentframe()
    while frame is not None and (
        "torch/" in frame.f_code.co_filename  # PyTorch's files, and those of weightinit/torch
    ):
        frame = frame.f_back
    return False if frame is None else is_asserting(frame)


def is_asserting(frame: FrameType) -> bool:
    """Return whether a frame is about to test the condition of an assert statement.

    torch.fx looks for the same pattern, in the byte code of Python 3.10 and older.
    """
    following = (step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    steps = itertools.islice(following, 2)
    return any(step.opname == "LOAD_ASSERTION_ERROR" or step.argval is AssertionError for step in steps)


def list_needed(error: BaseException) -> list[Any]:
    """Return the values of local variables that the code which an error interrupted would still have read."""
    needed: list[Any] = []
    trace = error.__traceback__
    while trace is not None:
        steps = list(dis.get_instructions(trace.tb_frame.f_code))
        loops = any("JUMP_BACKWARD" in step.opname for step in steps)
        read = {
            step.argval
            for step in steps
            if step.opname.startswith("LOAD") and (loops or step.offset > trace.tb_lasti)
        }
        needed += [value for name, value in trace.tb_frame.f_locals.items() if name in read]
        trace = trace.tb_next
    return needed


def explain_branches(root: nn.Module) -> str:
    """Return which forward may take another branch on a stand-in than on a tensor; "" if none may."""
    for module in root.modules():
        kind: type = type(module)
        called = map(find_function, (type(module).forward, *filter(callable, vars(module).values())))
        if any(may_tell(one, kind) for one in called if one is not None):
            return f"{kind.__name__}.forward may branch on the type of a tensor, or on an error"
    return ""


@lru_cache(maxsize=1024)
def may_tell(function: FunctionType, owner: type) -> bool:
    """Return whether a method of a class, or a function that it calls, may distinguish a stand-in."""
    seen = {function}
    waiting = [function]
    while waiting:
        current = waiting.pop()
        if len(seen) > MAX_FUNCTIONS or (not is_foreign(current) and is_telling(current.__code__)):
            return True
        found = set(list_functions(current, owner)) - seen
        seen |= found
        waiting += found
    return False


@lru_cache(maxsize=4096)
def is_telling(code: CodeType) -> bool:
    """Return whether code asks for types or catches errors."""
    for step, after in itertools.pairwise(dis.get_instructions(code)):
        # A bare except discards the error at once.
        if step.opname in CATCHING or (step.opname, after.opname) == ("PUSH_EXC_INFO", "POP_TOP"):
            return True
        names = FUNCTIONS if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"} else ATTRIBUTES
        # isinstance(x, str) does not depend on a tensor; str(x) does.
        is_called = step.argval != "str" or "NULL" in step.argrepr
        if step.opname in NAMING and step.argval in names and is_called:
            return True
    return any(is_telling(inner) for inner in code.co_consts if isinstance(inner, CodeType))


def list_functions(function: FunctionType, owner: type) -> Iterator[FunctionType]:
    """Yield the functions that a function may call, by the names in its code and by its closure."""
    called: list[object] = list(inspect.getclosurevars(function).nonlocals.values())
    if not is_foreign(function):
        codes = [function.__code__]
        for code in codes:
            codes += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        names = {name for code in codes for name in code.co_names} - HARMLESS
        known = [function.__globals__[name] for name in names if name in function.__globals__]
        modules = [one for one in known if isinstance(one, ModuleType)]
        # Read from `vars`, because getattr could import a module or run a property; from all bases, for
        # super().
        called += known
        called += [vars(place).get(name) for place in (*owner.__mro__, *modules) for name in names]
    yield from filter(None, map(find_function, called))


def find_function(value: object) -> FunctionType | None:
    """Return the function behind a method, property, partial or callable object; else None."""
    if isinstance(value, partial):
        return find_function(value.func)
    if isinstance(value, property):
        return find_function(value.fget)
    inner = value.__func__ if isinstance(value, MethodType | staticmethod | classmethod) else value
    if not isinstance(inner, FunctionType | type | nn.Module):
        inner = vars(type(inner)).get("__call__")
    return inner if isinstance(inner, FunctionType) else None


def is_foreign(function: FunctionType) -> bool:
    """Return whether a function belongs to a library whose functions accept stand-ins or raise."""
    return str(function.__globals__.get("__name__", "")).partition(".")[0] in FOREIGN
