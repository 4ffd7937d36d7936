"""Assertions: whether code that asks for the truth of a stand-in asserts it."""

import dis
import inspect
import itertools
from types import FrameType


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
