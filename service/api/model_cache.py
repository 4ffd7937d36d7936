"""Model cache: published models in parsed form, and contents of their tensors, the most recently used."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

import orjson

from service.api.content.formats import make_safetensors_header, sort_tensors
from service.api.content.representation import RELEASE_CACHE_CONTROL, Content, Representation
from service.api.http.body import parse_json
from service.api.http.media_types import JSON
from service.api.schemas.responses import DecidedModel, DecidedTensor
from service.api.work.shares import Shares
from service.api.work.single_flight import SingleFlight
from service.core.models import Limits, Model, parse_model
from service.store import StoreUnavailableError
from service.stream import STREAM_VERSION, slice_tensor

#: Stored models were within the limits of the service when they were published.
NO_LIMITS = Limits(tensors=2**60, elements=2**63, rank=8, repeats=True)
MAX_PARTS = 40_000  # total of all cached models, about 100 MiB, and again of all cached contents
MAX_FEW_PARTS = 16  # processed on the event loop at each request, because waking a thread takes as long
PART_BYTES = 2048  # memory of a part, roughly

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Published:
    """A model, its id and canonical form, and the number of parts of all its tensors."""

    id: str
    canonical: bytes
    model: Model
    parts: int

    @classmethod
    def of(cls, model_id: str, canonical: bytes) -> "Published":
        """Parse a canonical form from the store. Raises StoreUnavailableError if its id differs."""
        if hashlib.sha256(canonical).hexdigest() != model_id:
            raise StoreUnavailableError("The storage is damaged: a model does not match its id.")
        model = parse_model(parse_json(canonical), STREAM_VERSION, NO_LIMITS)
        for tensor in model.tensors:
            if len(tensor.parts) > 1:
                _ = tensor.row_stops  # computed here, because models are parsed in a thread
        return cls(model_id, canonical, model, sum(len(tensor.parts) for tensor in model.tensors))

    @property
    def headers(self) -> dict[str, str]:
        """The header with the model's id."""
        return {"Weightinit-Model": self.id}

    def make_file(self, media_type: str) -> Content:
        """Make the content of the safetensors file of the model."""
        tensors = sort_tensors(self.model.tensors)
        header = make_safetensors_header(self.model, self.id, tensors)
        sources = tuple(source for tensor in tensors for source in slice_tensor(tensor))
        disposition = f'attachment; filename="{self.id[:16]}.safetensors"'
        headers = {"Content-Disposition": disposition, **self.headers}
        return Content.of(Representation(media_type, header, sources), headers)

    def make_parameters(self) -> Content:
        """Make the content of the parameters of every tensor, in JSON."""
        body = render_parameters(DecidedModel.of(self.id, self.model))
        headers = {"Cache-Control": RELEASE_CACHE_CONTROL, **self.headers}
        return Content.of(Representation(JSON, body, ()), headers)


def render_parameters(parameters: DecidedModel) -> bytes:
    """Write the parameters of a model as JSON.

    Part by part, because orjson keeps the GIL: 20,000 parts at once would block all requests for 50 ms.
    """
    return orjson.dumps(parameters, _write_level, orjson.OPT_PASSTHROUGH_DATACLASS)


def _write_level(value: object) -> object:
    if isinstance(value, DecidedModel | DecidedTensor):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return orjson.Fragment(orjson.dumps(value))


class Recent(Generic[T]):
    """The most recently used values by key, up to a total of MAX_PARTS parts."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, tuple[T, int]] = OrderedDict()
        self._parts = 0

    def find(self, key: object) -> T | None:
        """Return the value of a key, or None."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def add(self, key: object, value: T, parts: int) -> None:
        """Add a value, and remove the least recently used ones while there are too many parts."""
        _, replaced = self._kept.pop(key, (None, 0))
        self._kept[key] = value, parts
        self._parts += parts - replaced
        while len(self._kept) > 1 and self._parts > MAX_PARTS:
            _, (_, removed) = self._kept.popitem(last=False)
            self._parts -= removed


class ModelCache:
    """Cached models and contents, and models that are being loaded. Concurrent requests share one load.

    Work on many parts runs in a thread, one call at a time. So requests for large models, which are short
    themselves, take at most one core from all others.
    """

    def __init__(self, shares: Shares) -> None:
        self._models: Recent[Published] = Recent()
        self._contents: Recent[Content] = Recent()
        self._loads: SingleFlight[Published | None] = SingleFlight()
        self._makes: SingleFlight[Content] = SingleFlight()
        self._shares = shares
        self._working = asyncio.Lock()

    async def find(
        self, model_id: str, load: Callable[[], Awaitable[bytes | None]], peer: str
    ) -> Published | None:
        """Return a model, loading its canonical form if it is not cached, or None if it does not exist.

        Raises HTTPException 429 or 503, StoreUnavailableError, and what `load` raises.
        """
        if published := self._models.find(model_id):
            return published
        return await self._run(self._loads, model_id, lambda: self._read(model_id, load), peer)

    async def _run(
        self, flights: SingleFlight[T], key: Hashable, start: Callable[[], Coroutine[Any, Any, T]], peer: str
    ) -> T:
        """Run a task that counts against the share of the peer that is the first to wait for it."""
        if flights.is_running(key):
            return await flights.run(key, start)
        self._shares.check(peer)
        self._shares.take(peer)
        return await flights.run(key, start, lambda: self._shares.give_back(peer))

    async def _read(self, model_id: str, load: Callable[[], Awaitable[bytes | None]]) -> Published | None:
        canonical = await load()
        if canonical is None:
            return None
        async with self._working:
            published = await asyncio.to_thread(Published.of, model_id, canonical)
        self._models.add(model_id, published, published.parts)
        return published

    async def find_content(
        self, key: tuple[str, ...], parts: int, make: Callable[[], Content], peer: str
    ) -> Content:
        """Return the content of a key. Makes it from a number of parts unless it is cached.

        The content of few parts is not cached. Raises HTTPException 429 or 503.
        """
        if parts <= MAX_FEW_PARTS:
            return make()
        if content := self._contents.find(key):
            return content
        return await self._run(self._makes, key, lambda: self._make(key, make), peer)

    async def _make(self, key: tuple[str, ...], make: Callable[[], Content]) -> Content:
        async with self._working:
            content = await asyncio.to_thread(make)
        size = 1 + len(content.whole.sources) + len(content.whole.header) // PART_BYTES
        self._contents.add(key, content, size)
        return content
