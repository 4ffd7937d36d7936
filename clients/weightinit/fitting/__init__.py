"""Fitting: a published model, in the places that a framework's model has for its tensors."""

from weightinit.fitting.fitter import Rename, find_letters, fit_model
from weightinit.fitting.pieces import Cuts, Piece, name_pieces, read_box, span
from weightinit.fitting.published import Published, fetch_published, is_reference
from weightinit.fitting.wanted import Wanted

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
