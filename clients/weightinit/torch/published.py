"""Published models: the entries of a module whose tensors start as one says."""

from collections.abc import Iterator

from torch import nn

from weightinit.fitting import Piece, Published, Rename, Wanted, fit_model, name_pieces
from weightinit.patterns import ModelRejected
from weightinit.torch.entries import Entry
from weightinit.torch.layers import describe_parameter
from weightinit.torch.names import Place, walk_buffers, walk_parameters
from weightinit.torch.starts import Block, Constant, Given, Keep, Skip, Start, find_layout
from weightinit.torch.tensors import check_shape


def plan_published(
    module: nn.Module, published: Published, *, rename: Rename = str, prefix: str = "", strict: bool = True
) -> list[Entry]:
    """Plan how the parameters of a module start, and those of its buffers that are published too.

    Raises ModelRejected, which lists all that does not fit, and TensorRejected.
    """
    parameters, buffers = walk_parameters(module, prefix), walk_buffers(module, prefix)
    wanted = {place.names[0]: want_parameter(place) for place in parameters}
    wanted |= {place.names[0]: want_buffer(place) for place in buffers}
    fitted = fit_model(published, wanted, rename, strict=strict)
    blocks = {name: list(make_blocks(pieces, published)) for name, pieces in fitted.items()}
    entries = [
        Entry.of(place, block) for place in parameters for block in blocks[place.names[0]] or [leave(place)]
    ]
    return entries + [Entry.of(place, block) for place in buffers for block in blocks[place.names[0]]]


def want_parameter(place: Place) -> Wanted:
    """Say what a parameter is, with the axes and gates that its layer has, where it is one of PyTorch's.

    Raises TensorRejected where it has no shape yet.
    """
    check_shape(place.parameter, place.names[0])
    shape = tuple(place.parameter.shape)
    blocks = describe_parameter(place.module, place.attribute, shape)
    gates = tuple(block.suffix.removeprefix(".") for block in blocks if block.suffix.startswith("."))
    is_empty = not place.parameter.numel()
    return Wanted(tuple(place.names), shape, find_layout(blocks), gates, optional=is_empty)


def want_buffer(place: Place) -> Wanted:
    """Say what a buffer is. Raises TensorRejected where it has no shape yet."""
    check_shape(place.parameter, place.names[0])
    return Wanted(tuple(place.names), tuple(place.parameter.shape), optional=True)


def leave(place: Place) -> Block:
    """Leave a parameter as it is."""
    if place.parameter.numel():
        return Block(Skip(), "It is not published.")
    return Block(Keep(), "It has no elements.")


def make_blocks(pieces: list[Piece], published: Published) -> Iterator[Block]:
    """Make the blocks of a parameter. Raises ModelRejected where its pieces are not made of whole rows."""
    for piece, suffix in zip(pieces, name_pieces(pieces), strict=True):
        if piece.axis and (piece.rows or piece.first):
            raise ModelRejected(f"{piece.name} is published in parts that are not made of rows here")
        yield Block(make_start(piece), f"Published in {published.label} as {piece.name}.", suffix, piece.rows)


def make_start(piece: Piece) -> Start:
    """Make how a piece starts."""
    if piece.spec is None or piece.decided is None:
        return Constant(piece.value)
    return Given(piece.spec, piece.decided, piece.first)
