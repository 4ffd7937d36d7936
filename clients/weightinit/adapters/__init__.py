"""Fitting: a published model, in the places that a framework's model has for its tensors."""

from weightinit.adapters.matching import Rename, Wanted, find_letters, fit_model
from weightinit.adapters.published import (
    Cuts,
    Piece,
    Published,
    fetch_published,
    is_reference,
    name_pieces,
    read_box,
    span,
)

__all__ = [
    "Cuts",
    "Piece",
    "Published",
    "Rename",
    "Wanted",
    "fetch_published",
    "find_letters",
    "fit_model",
    "is_reference",
    "name_pieces",
    "read_box",
    "span",
]
