"""Guess inputs for a module, as meta tensors, from its forward's signature and its first layer.

Used to run a module when the user passes no batch.
"""

import inspect
from collections.abc import Iterator

import torch
from torch import nn

from weightinit.adapters.flow.graph import Structure

BATCH = 2
LENGTH = 16
IMAGE = 224

Inputs = tuple[tuple[Structure, ...], dict[str, Structure]]

# By type of layer: the attribute with its number of features, and shapes, in which None stands for that
# number.
SHAPES: dict[type, tuple[str, list[tuple[int | None, ...]]]] = {
    nn.Linear: ("in_features", [(BATCH, None), (BATCH, LENGTH, None), (BATCH, LENGTH, LENGTH, None)]),
    nn.Bilinear: ("in1_features", [(BATCH, None)]),
    nn.Conv1d: ("in_channels", [(BATCH, None, IMAGE), (BATCH, None, 16_000)]),
    nn.Conv2d: ("in_channels", [(BATCH, None, side, side) for side in (IMAGE, 256, 299, 32, 28)]),
    nn.Conv3d: ("in_channels", [(BATCH, None, 16, 112, 112), (BATCH, None, 16, 16, 16)]),
    nn.ConvTranspose1d: ("in_channels", [(BATCH, None, 8)]),
    nn.ConvTranspose2d: ("in_channels", [(BATCH, None, 8, 8)]),
    nn.ConvTranspose3d: ("in_channels", [(BATCH, None, 8, 8, 8)]),
    nn.RNNBase: ("input_size", [(LENGTH, LENGTH, None)]),
    nn.RNNCellBase: ("input_size", [(BATCH, None)]),
    nn.MultiheadAttention: ("embed_dim", [(LENGTH, LENGTH, None)]),
    nn.BatchNorm1d: ("num_features", [(BATCH, None), (BATCH, None, LENGTH)]),
    nn.BatchNorm2d: ("num_features", [(BATCH, None, IMAGE, IMAGE)]),
    nn.BatchNorm3d: ("num_features", [(BATCH, None, 16, 16, 16)]),
    nn.LayerNorm: ("normalized_shape", [(BATCH, None), (BATCH, LENGTH, None)]),
}


def guess_inputs(module: nn.Module) -> Iterator[Inputs]:
    """Yield arguments that a module's forward may accept, on the meta device, the most likely first."""
    if (named := _guess_by_name(module)) is not None:
        yield (), named
        for name, axis in {"input_values": 1, "pixel_values": 1}.items():
            if name in named:  # one channel, or one of several images
                yield (), named | {name: named[name].unsqueeze(axis)}
    if isinstance(module, nn.MultiheadAttention):
        sizes = (module.embed_dim, module.kdim, module.vdim)
        yield tuple(torch.empty(LENGTH, LENGTH, size or 0, device="meta") for size in sizes), {}
    count = count_required(module)
    for tensor in _guess_tensors(module):
        yield (tensor,) * count, {}


def count_required(module: nn.Module) -> int:
    """Return the number of required positional arguments of a forward; at least one."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.signature(module.forward)
    required = [
        row for row in signature.parameters.values() if row.kind in kinds and row.default is row.empty
    ]
    return max(1, len(required))


def _guess_tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    """Yield guesses of an input tensor, from the first layer that determines its shape."""
    dtype = next((one.dtype for one in module.parameters() if one.dtype.is_floating_point), torch.float32)
    said = getattr(module, "default_cfg", None)  # of timm
    image = said.get("input_size") if isinstance(said, dict) else None
    for part in module.modules():
        if isinstance(part, nn.Embedding | nn.EmbeddingBag):
            yield torch.zeros(BATCH, LENGTH, dtype=torch.long, device="meta")
            return
        if shapes := _guess_shapes(part, image):
            yield from (torch.empty(shape, dtype=dtype, device="meta") for shape in shapes)
            return


def _guess_shapes(part: nn.Module, image: Structure) -> list[tuple[int, ...]]:
    """Return likely input shapes of a layer; [] if its type is not in SHAPES."""
    if isinstance(part, nn.Conv2d) and image is not None:
        return [(BATCH, *image)]
    row = next((row for kind, row in SHAPES.items() if isinstance(part, kind)), None)
    if row is None:
        return []
    attribute, shapes = row
    size = getattr(part, attribute)
    features = size[-1] if isinstance(size, tuple) else size
    return [tuple(features if length is None else length for length in shape) for shape in shapes]


def _guess_by_name(module: nn.Module) -> dict[str, Structure] | None:
    """Guess the keyword arguments of a model of the Transformers library by its main input's name."""
    name, config = getattr(module, "main_input_name", None), getattr(module, "config", None)
    if not isinstance(name, str) or config is None:
        return None
    text = torch.zeros(BATCH, LENGTH, dtype=torch.long, device="meta")
    parameters = inspect.signature(module.forward).parameters
    found: dict[str, Structure] = {}
    if "pixel_values" in parameters:
        found["pixel_values"] = torch.empty(_read_image(config), device="meta")
    if "input_ids" in parameters:
        found["input_ids"] = text
    if "bbox" in parameters:
        found["bbox"] = torch.zeros(BATCH, LENGTH, 4, dtype=torch.long, device="meta")
    if "decoder_input_ids" in parameters:
        found["decoder_input_ids"] = text
    if "input_features" in parameters:
        bins = _read(config, "num_mel_bins", 80)
        length = 2 * _read(config, "max_source_positions", 1500)
        found["input_features"] = torch.empty(BATCH, bins, length, device="meta")
    if "input_values" in parameters and name == "input_values":
        found["input_values"] = torch.empty(BATCH, 16_000, device="meta")
    return found or None


def _read_image(config: Structure) -> tuple[int, ...]:
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", IMAGE)
    sides = tuple(size) if isinstance(size, tuple | list) else (size, size)
    return (BATCH, _read(vision, "num_channels", 3), *sides)


def _read(config: Structure, attribute: str, default: int) -> int:
    value = getattr(config, attribute, default)
    return value if isinstance(value, int) else default
