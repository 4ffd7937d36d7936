"""The catalogue: published models, the latest few kept as they were parsed."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from service.api.bodies import parse_json
from service.api.offers import Offer
from service.api.representations import Representation
from service.api.safetensors import make_safetensors_header, sort_tensors
from service.core.models import Limits, Model, parse_model
from service.store import StoreUnavailableError
from service.stream import STREAM_VERSION, cut_tensor

#: What is in the store was within the limits of its day.
NO_LIMITS = Limits(tensors=2**60, elements=2**63, rank=8)
MOST_TENSORS = 40_000  # in all models that are kept: some 100 MiB


@dataclass(frozen=True, slots=True)
class Published:
    """A model, its id and canonical form, and its files, by media type, as far as they were asked for."""

    id: str
    canonical: bytes
    model: Model
    files: dict[str, Offer] = field(default_factory=dict)

    @classmethod
    def of(cls, model_id: str, canonical: bytes) -> "Published":
        """Read what is in the store. Raises StoreUnavailableError where it is not what was published."""
        if hashlib.sha256(canonical).hexdigest() != model_id:
            raise StoreUnavailableError(
                "The storage is damaged: the model is not the one that was published."
            )
        return cls(model_id, canonical, parse_model(parse_json(canonical), STREAM_VERSION, NO_LIMITS))

    def offer_file(self, media_type: str) -> Offer:
        """Offer the whole model as a safetensors file."""
        if media_type not in self.files:
            tensors = sort_tensors(self.model.tensors)
            header = make_safetensors_header(self.model, self.id, tensors)
            sources = tuple(source for tensor in tensors for source in cut_tensor(tensor))
            said = {
                "Content-Disposition": f'attachment; filename="{self.id[:16]}.safetensors"',
                "Weightinit-Model": self.id,
            }
            self.files[media_type] = Offer.of(Representation(media_type, header, sources), said)
        return self.files[media_type]


class Catalogue:
    """Models by their ids."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Published] = OrderedDict()

    def find(self, model_id: str) -> Published | None:
        """Find a model that is kept."""
        if model_id in self._kept:
            self._kept.move_to_end(model_id)
        return self._kept.get(model_id)

    def keep(self, published: Published) -> None:
        """Keep a model, and let go of those that nobody asked for longest."""
        self._kept[published.id] = published
        while len(self._kept) > 1 and self._count_tensors() > MOST_TENSORS:
            self._kept.popitem(last=False)

    def _count_tensors(self) -> int:
        return sum(len(published.model.tensors) for published in self._kept.values())
