"""The asynchronous client: the methods of Client as coroutines, each run in a worker thread."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from weightinit.client import Client
from weightinit.deprecation import warn_renamed
from weightinit.errors import WeightinitError
from weightinit.models import ExpandedModel, Model, NameEntry, Publication, TensorParameters
from weightinit.models.names import Naming
from weightinit.spec.fields import SpecFields
from weightinit.spec.layer import Shape, Spec
from weightinit.spec.parameters import Parameters
from weightinit.spec.slices import Slices
from weightinit.transport.retry import Retry, stopping

if TYPE_CHECKING:
    from weightinit.arrays import Array, Destination

T = TypeVar("T")


class AsyncClient:
    """A Client with coroutine methods. Its arguments are those of Client."""

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        retries: int | Retry | None = None,
        cache: bool | str | os.PathLike[str] | None = None,
        verify: bool | None = None,
        offline: bool | None = None,
        progress: bool | None = None,
    ) -> None:
        self._client = Client(
            url,
            token=token,
            timeout=timeout,
            retries=retries,
            cache=cache,
            verify=verify,
            offline=offline,
            progress=progress,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    async def parameters(self, shape: Spec | Shape, **spec: Unpack[SpecFields]) -> Parameters:
        """Return the parameters of a layer; see Client.parameters."""
        return await run_in_thread(partial(self._client.parameters, shape, **spec))

    async def weights(
        self,
        shape: Spec | Shape,
        *,
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        out: "Destination | None" = None,
        **spec: Unpack[SpecFields],
    ) -> "Array":
        """Fetch a tensor, or a slice of it; see Client.weights."""
        return await run_in_thread(partial(self._client.weights, shape, slice=slice, out=out, **spec))

    async def fetch(
        self,
        shape: Spec | Shape,
        *,
        out: "Destination",
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        **spec: Unpack[SpecFields],
    ) -> None:
        """Fetch a tensor's bytes into a buffer; see Client.fetch."""
        await run_in_thread(partial(self._client.fetch, shape, slice=slice, out=out, **spec))

    async def raw(
        self,
        shape: Spec | Shape,
        *,
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        **spec: Unpack[SpecFields],
    ) -> bytes:
        """Fetch a tensor's bytes; see Client.raw."""
        return await run_in_thread(partial(self._client.raw, shape, slice=slice, **spec))

    async def publish(self, model: Model | Mapping[str, object], **naming: Unpack[Naming]) -> Publication:
        """Publish a model, under a name if one is given; see Client.publish."""
        return await run_in_thread(partial(self._client.publish, model, **naming))

    async def expand(self, model: Model | Mapping[str, object]) -> ExpandedModel:
        """Validate a model and write out its recipe; see Client.expand."""
        return await run_in_thread(partial(self._client.expand, model))

    async def model(self, reference: str) -> Model:
        """Fetch a published model; see Client.model."""
        return await run_in_thread(partial(self._client.model, reference))

    async def model_parameters(self, model: Model | str) -> tuple[TensorParameters, ...]:
        """Return the parameters of each tensor of a model; see Client.model_parameters."""
        return await run_in_thread(partial(self._client.model_parameters, model))

    async def decided(self, model: Model | str) -> tuple[TensorParameters, ...]:
        """Call `model_parameters` (deprecated)."""
        warn_renamed("AsyncClient.decided", "AsyncClient.model_parameters")
        return await self.model_parameters(model)

    async def pull(self, reference: str, path: str | os.PathLike[str]) -> str:
        """Write a model to a safetensors file, and return its SHA-256; see Client.pull."""
        return await run_in_thread(partial(self._client.pull, reference, path))

    async def resolve(self, name: str) -> NameEntry:
        """Look up a name; see Client.resolve."""
        return await run_in_thread(partial(self._client.resolve, name))

    async def names(self, prefix: str = "") -> AsyncIterator[NameEntry]:
        """Yield the names that start with a prefix; see Client.names."""
        entries = self._client.names(prefix)
        while (entry := await run_in_thread(partial(next, entries, None))) is not None:
            yield entry

    async def retire(self, name: str, *, note: str, author: str | None = None) -> NameEntry:
        """Retire a name; see Client.retire."""
        return await run_in_thread(partial(self._client.retire, name, note=note, author=author))


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run a function in a thread. If cancelled, wait for the thread, which may still write to its buffers."""
    stop = threading.Event()
    token = stopping.set(stop)
    try:
        thread = asyncio.ensure_future(asyncio.to_thread(work))
    finally:
        stopping.reset(token)
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.set()
        with suppress(WeightinitError):
            await thread
        raise
