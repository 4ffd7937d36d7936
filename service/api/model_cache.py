"""Model cache: published models by id. Keeps the most recently used ones in parsed form."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import orjson

from service.api.content.formats import make_safetensors_header, sort_tensors
from service.api.content.representation import RELEASE_CACHE_CONTROL, Content, Representation
from service.api.http.body import parse_json
from service.api.http.media_types import JSON
from service.api.schemas import DecidedModel
from service.core.models import Limits, Model, parse_model
from service.store import StoreUnavailableError
from service.stream import STREAM_VERSION, slice_tensor

#: Stored models were within the limits of the service when they were published.
NO_LIMITS = Limits(tensors=2**60, elements=2**63, rank=8)
MAX_PARTS = 40_000  # total of all cached models, about 100 MiB


@dataclass(frozen=True, slots=True)
class Published:
    """A model, its id and canonical form, and its requested contents by media type."""

    id: str
    canonical: bytes
    model: Model
    files: dict[str, Content] = field(default_factory=dict)

    @classmethod
    def of(cls, model_id: str, canonical: bytes) -> "Published":
        """Parse a canonical form from the store. Raises StoreUnavailableError if its id differs."""
        if hashlib.sha256(canonical).hexdigest() != model_id:
            raise StoreUnavailableError("The storage is damaged: a model does not match its id.")
        return cls(model_id, canonical, parse_model(parse_json(canonical), STREAM_VERSION, NO_LIMITS))

    @property
    def headers(self) -> dict[str, str]:
        """The header with the model's id."""
        return {"Weightinit-Model": self.id}

    def count_parts(self) -> int:
        """Count the parts of all tensors, a measure of the memory that the model takes."""
        return sum(len(tensor.parts) for tensor in self.model.tensors)

    def get_file(self, media_type: str) -> Content:
        """Return the content of the safetensors file of the model."""
        if media_type not in self.files:
            tensors = sort_tensors(self.model.tensors)
            header = make_safetensors_header(self.model, self.id, tensors)
            sources = tuple(source for tensor in tensors for source in slice_tensor(tensor))
            disposition = f'attachment; filename="{self.id[:16]}.safetensors"'
            headers = {"Content-Disposition": disposition, **self.headers}
            self.files[media_type] = Content.of(Representation(media_type, header, sources), headers)
        return self.files[media_type]

    def get_parameters(self) -> Content:
        """Return the content of the parameters of every tensor, in JSON."""
        if JSON not in self.files:
            body = orjson.dumps(DecidedModel.of(self.id, self.model))
            headers = {"Cache-Control": RELEASE_CACHE_CONTROL, **self.headers}
            self.files[JSON] = Content.of(Representation(JSON, body, ()), headers)
        return self.files[JSON]


class ModelCache:
    """Cached models, and models that are being loaded. Concurrent requests share one load."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Published] = OrderedDict()
        self._coming: dict[str, asyncio.Task[Published | None]] = {}

    async def find(self, model_id: str, load: Callable[[], Awaitable[bytes | None]]) -> Published | None:
        """Return a model, loading its canonical form if it is not cached, or None if it does not exist.

        Raises StoreUnavailableError, and what `load` raises.
        """
        if model_id in self._kept:
            self._kept.move_to_end(model_id)
            return self._kept[model_id]
        if model_id not in self._coming:
            task = asyncio.create_task(self._read(model_id, load))
            task.add_done_callback(lambda _: self._coming.pop(model_id))
            self._coming[model_id] = task
        # A cancelled request must not cancel the load, which other requests wait for.
        return await asyncio.shield(self._coming[model_id])

    async def _read(self, model_id: str, load: Callable[[], Awaitable[bytes | None]]) -> Published | None:
        canonical = await load()
        if canonical is None:
            return None
        published = await asyncio.to_thread(Published.of, model_id, canonical)
        self._kept[model_id] = published
        while len(self._kept) > 1 and sum(kept.count_parts() for kept in self._kept.values()) > MAX_PARTS:
            self._kept.popitem(last=False)
        return published
