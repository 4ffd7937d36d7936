"""Frames: what the code around an operation is about to do."""

import dis
import inspect
import itertools
from types import FrameType
from typing import Any


def is_asserting_above() -> bool:
    """Tell whether the caller's code that asks for the truth of a tensor is an assertion."""
    frame = inspect.currentframe()
    while frame is not None and (
        "torch/" in frame.f_code.co_filename  # PyTorch's, and this folder's
    ):
        frame = frame.f_back
    return False if frame is None else is_asserting(frame)


def is_asserting(frame: FrameType) -> bool:
    """Tell whether a frame is about to jump over the raising of an AssertionError.

    torch.fx looks for the same pattern, in the byte code of Python 3.10 and older.
    """
    following = (step for step in dis.get_instructions(frame.f_code) if step.offset > frame.f_lasti)
    steps = itertools.islice(following, 2)
    return any(step.opname == "LOAD_ASSERTION_ERROR" or step.argval is AssertionError for step in steps)


def list_needed(error: BaseException) -> list[Any]:
    """List the values of local variables that the code which an error ended would have read further on."""
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
