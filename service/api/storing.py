"""Storing: a call of the store from an endpoint, in a thread that may wait for it."""

import asyncio
import operator
from collections.abc import Callable
from functools import partial
from typing import TypeVar, TypeVarTuple

from service.api.context import Context
from service.store import StoreUnavailableError

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# Longer than any database is given to answer, so that it is the one to say what is wrong.
LONGEST_CALL = 10.0  # seconds


async def call_store(context: Context, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a method of the store in a thread of the store's own, and let nothing else wait for it.

    Raises what the method raises, and StoreUnavailableError when it takes too long.
    """
    try:
        async with asyncio.timeout(LONGEST_CALL):
            return await context.storing.run(operator.call, partial(function, *arguments))
    except TimeoutError:
        raise StoreUnavailableError("The storage did not answer in time.") from None
