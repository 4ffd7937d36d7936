"""Model cache: published models by their ids, the latest few kept as they were parsed."""

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

#: What is in the store was within the limits of its day.
NO_LIMITS = Limits(tensors=2**60, elements=2**63, rank=8)
MAX_PARTS = 40_000  # in all models that are kept: some 100 MiB


@dataclass(frozen=True, slots=True)
class Published:
    """A model, its id and canonical form, and its files, by media type, as far as they were requested."""

    id: str
    canonical: bytes
    model: Model
    files: dict[str, Content] = field(default_factory=dict)

    @classmethod
    def of(cls, model_id: str, canonical: bytes) -> "Published":
        """Read what is in the store. Raises StoreUnavailableError where it is not what was published."""
        if hashlib.sha256(canonical).hexdigest() != model_id:
            raise StoreUnavailableError("The storage is damaged: the model is another than was published.")
        return cls(model_id, canonical, parse_model(parse_json(canonical), STREAM_VERSION, NO_LIMITS))

    @property
    def headers(self) -> dict[str, str]:
        """The header that names the model."""
        return {"Weightinit-Model": self.id}

    def count_parts(self) -> int:
        """Count the parts of all tensors, which is what memory it takes to keep."""
        return sum(len(tensor.parts) for tensor in self.model.tensors)

    def get_file(self, media_type: str) -> Content:
        """Return the whole model as a safetensors file."""
        if media_type not in self.files:
            tensors = sort_tensors(self.model.tensors)
            header = make_safetensors_header(self.model, self.id, tensors)
            sources = tuple(source for tensor in tensors for source in slice_tensor(tensor))
            disposition = f'attachment; filename="{self.id[:16]}.safetensors"'
            headers = {"Content-Disposition": disposition, **self.headers}
            self.files[media_type] = Content.of(Representation(media_type, header, sources), headers)
        return self.files[media_type]

    def get_parameters(self) -> Content:
        """Return the parameters of every tensor as JSON. Reasons and references may change with a release."""
        if JSON not in self.files:
            body = orjson.dumps(DecidedModel.of(self.id, self.model))
            headers = {"Cache-Control": RELEASE_CACHE_CONTROL, **self.headers}
            self.files[JSON] = Content.of(Representation(JSON, body, ()), headers)
        return self.files[JSON]


class ModelCache:
    """Models that are kept, and those that are being read: once, however many requests wait."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Published] = OrderedDict()
        self._coming: dict[str, asyncio.Task[Published | None]] = {}

    async def find(self, model_id: str, load: Callable[[], Awaitable[bytes | None]]) -> Published | None:
        """Find a model, its canonical form loaded where it is not kept; None where there is none.

        Raises what loading raises, StoreUnavailableError.
        """
        if model_id in self._kept:
            self._kept.move_to_end(model_id)
            return self._kept[model_id]
        if model_id not in self._coming:
            task = asyncio.create_task(self._read(model_id, load))
            task.add_done_callback(lambda _: self._coming.pop(model_id))
            self._coming[model_id] = task
        # One who leaves does not take it away from the others.
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
