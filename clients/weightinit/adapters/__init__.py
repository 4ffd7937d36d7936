"""Fitting: a published model, in the places that a framework's model has for its tensors."""

from weightinit.adapters.matching import Rename, Target, find_letters, match_model
from weightinit.adapters.published import (
    Cuts,
    PublishedModel,
    Segment,
    fetch_published,
    is_reference,
    name_segments,
    read_box,
    span,
)

__all__ = [
    "Cuts",
    "PublishedModel",
    "Rename",
    "Segment",
    "Target",
    "fetch_published",
    "find_letters",
    "is_reference",
    "match_model",
    "name_segments",
    "read_box",
    "span",
]
