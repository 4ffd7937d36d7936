"""The client: parameters and weights of layers, from a service or its replicas."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, Unpack

import httpx
import numpy as np

from weightinit.answers import raise_for_status, read_json
from weightinit.boxes import Box, Slices
from weightinit.buffers import view_array, view_bytes
from weightinit.cache import Cache, compute_key
from weightinit.dtypes import find_numpy_dtype
from weightinit.endpoints import mask
from weightinit.errors import NotWeightinit
from weightinit.parameters import Parameters
from weightinit.progress import show_progress
from weightinit.queries import Query, make_parameters_query, make_weights_query
from weightinit.retry import Attempts, Retry
from weightinit.session import Session
from weightinit.settings import resolve_settings
from weightinit.sinks import MemorySink, Sink
from weightinit.spec import Shape, Spec, SpecFields
from weightinit.transfer import Transfer

if TYPE_CHECKING:
    from weightinit.buffers import Array, Destination


class Client:
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

    Every verb takes a shape and the keywords of a Spec, or a Spec; errors are those of weightinit.errors.
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
        self._settings = resolve_settings(
            url, token=token, timeout=timeout, retries=retries, cache=cache, verify=verify
        )
        self._session = Session(self._settings)
        self._cache = self._settings.cache and Cache(self._settings.cache, self._settings.cache_limit)
        self._progress = progress
        self._preferred = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"weightinit.Client({', '.join(mask(endpoint) for endpoint in self._settings.endpoints)!r})"

    def close(self) -> None:
        """Close the connections. A client that is used again opens new ones."""
        self._session.close()

    def parameters(self, shape: Spec | Shape, **spec: Unpack[SpecFields]) -> Parameters:
        """Ask what is decided for a layer, and why: scheme, fans, variance, limit."""
        query = make_parameters_query(Spec.of(shape, **spec))
        answer = self.ask(query)
        try:
            return Parameters.from_json(answer)
        except ValueError as error:
            raise NotWeightinit(
                f"the answer to {query.words} cannot be read: {error}; check the URL"
            ) from error

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
            np.empty(box.shape, find_numpy_dtype(asked.format))
            if out is None
            else view_array(out, box.shape, asked.format)
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

    def ask(self, query: Query) -> Mapping[str, object]:
        """Ask for JSON: what the verbs are made of, as `transfer` is."""

        def ask(endpoint: str) -> Mapping[str, object]:
            headers = {"Accept": "application/json"}
            with self._session.request(endpoint, query.path, query.params, headers) as response:
                raise_for_status(response, query.words)
                if response.status_code != httpx.codes.OK:
                    raise NotWeightinit(
                        f"{mask(response.url)} answered {response.status_code}; check the URL"
                    )
                return read_json(response)

        attempts = self._start_attempts()
        answer = attempts.run(ask)
        self._preferred = attempts.index
        return answer

    def transfer(
        self, query: Query, sink: Sink, size: int | None, *, received: int = 0, etag: str | None = None
    ) -> Transfer:
        """Transfer a representation's bytes to a sink, showing the progress; see Transfer."""
        attempts = self._start_attempts()
        verify = self._settings.verify
        with show_progress(query.words, size, wanted=self._progress) as watch:
            transfer = Transfer(query, sink, size, verify=verify, watch=watch, received=received, etag=etag)
            transfer.run(self._session, attempts)
        self._preferred = attempts.index
        return transfer

    def _start_attempts(self) -> Attempts:
        # An endpoint that failed is not the first to be asked the next time.
        return Attempts(self._settings.endpoints, self._settings.retry, self._preferred)

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
