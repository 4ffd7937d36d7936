"""The client: parameters and weights of layers, from a service or its replicas."""

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Unpack

from weightinit.boxes import Box, Slices
from weightinit.buffers import make_array, view_array, view_bytes
from weightinit.cache import Cache, compute_key
from weightinit.parameters import Parameters
from weightinit.queries import Query, make_weights_query
from weightinit.registry import Registry
from weightinit.retry import Retry
from weightinit.settings import resolve_settings
from weightinit.sinks import MemorySink
from weightinit.spec import Shape, Spec, SpecFields

if TYPE_CHECKING:
    from weightinit.buffers import Array, Destination


class Client(Registry):
    """A client of a weightinit service, to be used by any number of threads, and in forked children.

    Args:
        url: where the service is, or its replicas are; `http://127.0.0.1:8000` if nobody says.
        token: sent as a bearer token, to the origin of `url` alone.
        timeout: seconds without a byte before a server counts as stalled; 30 if nobody says.
        retries: how often to try again, or a Retry that says more; 5.
        cache: keep tensors on disk: a directory, or True for this platform's place for caches.
        verify: check each tensor's SHA-256 as the service announces it.
        progress: a progress bar; None shows one on a terminal, for a long transfer, if tqdm is installed.

    What is None comes from WEIGHTINIT_URL (several separated by commas), WEIGHTINIT_TOKEN,
    WEIGHTINIT_TIMEOUT, WEIGHTINIT_CACHE, WEIGHTINIT_VERIFY. Raises ConfigurationError.

    The verbs of weights take a shape and the keywords of a Spec, or a Spec; those of models are Registry's.
    Errors are those of weightinit.errors.
    """

    def __init__(
        self,
        url: str | Sequence[str] | None = None,
        *,
        token: str | None = None,
        timeout: float | None = None,
        retries: int | Retry | None = None,
        cache: bool | str | os.PathLike[str] | None = None,
        verify: bool | None = None,
        progress: bool | None = None,
    ) -> None:
        settings = resolve_settings(
            url, token=token, timeout=timeout, retries=retries, cache=cache, verify=verify
        )
        super().__init__(settings, progress=progress)
        self._cache = settings.cache and Cache(settings.cache, settings.cache_limit)

    def parameters(self, shape: Spec | Shape, **spec: Unpack[SpecFields]) -> Parameters:
        """Ask what is decided for a layer, and why: scheme, fans, variance, limit."""
        return self._decide(Spec.of(shape, **spec))

    def weights(
        self,
        shape: Spec | Shape,
        *,
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        out: "Destination | None" = None,
        **spec: Unpack[SpecFields],
    ) -> "Array":
        """Fetch a tensor, or the box that a slice cuts out of it, as an array in C order.

        `out`, an array of that shape and dtype or any buffer of that size, is written to instead of new
        memory, without a copy between; an array over it is returned. After an error its content is
        undefined. bfloat16 comes as ml_dtypes.bfloat16 if that is installed, else as its bits in uint16.
        """
        asked = Spec.of(shape, **spec)
        box = Box.of(slice, asked.shape)
        array = (
            make_array(box.shape, asked.format) if out is None else view_array(out, box.shape, asked.format)
        )
        self._fill(asked, box, view_bytes(array, array.nbytes))
        return array

    def fetch(
        self,
        shape: Spec | Shape,
        *,
        out: "Destination",
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        **spec: Unpack[SpecFields],
    ) -> None:
        """Fetch a tensor's bytes, little-endian and in C order, into a writable buffer of their size."""
        asked = Spec.of(shape, **spec)
        box = Box.of(slice, asked.shape)
        self._fill(asked, box, view_bytes(out, box.count_bytes(asked.format)))

    def raw(
        self,
        shape: Spec | Shape,
        *,
        slice: Slices | None = None,  # noqa: A002 - as the service calls it
        **spec: Unpack[SpecFields],
    ) -> bytes:
        """Fetch a tensor's bytes, little-endian and in C order. `fetch` does with half the memory."""
        asked = Spec.of(shape, **spec)
        box = Box.of(slice, asked.shape)
        buffer = bytearray(box.count_bytes(asked.format))
        self._fill(asked, box, memoryview(buffer))
        return bytes(buffer)

    def _fill(self, spec: Spec, box: Box, view: memoryview) -> None:
        query = make_weights_query(spec, box)
        if not view:
            return  # an empty box, such as the shard of a rank that there are no rows for
        if self._cache:
            self._cache.fill(
                compute_key(self._settings.endpoints, query), view, partial(self._download, query, view)
            )
        else:
            self._download(query, view)

    def _download(self, query: Query, view: memoryview) -> float:
        return self.transfer(query, MemorySink(view), len(view)).lifetime
