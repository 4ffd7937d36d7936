"""Kernels: how tensors are initialized by the products that apply them, and what follows those."""

from dataclasses import replace

from torch import nn

from weightinit.adapters.actions import CERTAINTIES, Block, Certainty, Draw
from weightinit.adapters.graph import Node, fold
from weightinit.adapters.plan import Inference
from weightinit.torch.layers import TIED, describe_head, find_tables
from weightinit.torch.tracing.activations import ActivationFinder
from weightinit.torch.tracing.uses import PRODUCTS, find_letters
from weightinit.torch.walk import NamedTensor

# The products that read rows of their kernel.
LOOKUPS = ("embedding", "embeddingbag")


def describe_use(finder: ActivationFinder, named: NamedTensor, known: list[Block]) -> list[Block]:
    """Describe a tensor by the products that apply it, where they say more than what is known of its layer.

    They do of a kernel that no known layer has, and of a table that is not only looked up. Returns [] where
    nothing says how it is initialized.
    """
    if not known:
        return describe_kernel(finder, named)
    tables = find_tables(named.owners)
    return describe_table(finder, named, known) if tables and known[0].reason != TIED else known


def describe_kernel(finder: ActivationFinder, named: NamedTensor) -> list[Block]:
    """Describe a kernel that no known layer has, by the product that applies it; [] if none does."""
    if named.parameter.ndim < 2 or not named.parameter.is_floating_point():
        return []
    layout = finder.find_layout(named.parameter)
    if not layout:
        return []
    # Of two axes of outputs one may be of stacked kernels, which a product does not show.
    return [Block(Draw({"layout": layout}), "", certainty="guessed" if layout.count("O") > 1 else "certain")]


def describe_table(finder: ActivationFinder, named: NamedTensor, known: list[Block]) -> list[Block]:
    """Describe the table of an embedding: as a head where logits are its products, too.

    One that is not looked up at all is the kernel of its product. A product over its rows mixes them, as a
    lookup of each would.
    """
    products = [(node, tensor) for tensor in named.tied for node in finder.find_products(tensor)]
    is_looked_up = any(is_lookup(node) for node, _ in products)
    layouts = {
        find_letters(node, tensor) for node, tensor in products if is_matrix_product(node)
    }  # "" for a part of the table, or what is computed of it
    if not layouts or (is_looked_up and layouts == {"IO"}):
        return known
    shape = rows, width = named.parameter.shape
    if is_looked_up:
        certainty: Certainty = "certain" if "OI" in layouts else "guessed"
        head = describe_head(find_tables(named.owners)[0], tuple(shape))
        return [replace(one, certainty=certainty) if isinstance(one.action, Draw) else one for one in head]
    reason = "The table of an embedding that is not looked up, but the kernel of a product."
    certainty = "guessed" if layouts == {""} else "certain"
    action = Draw(
        {"layout": "IO"} if layouts == {"IO"} else {"layout": "IO", "fan_in": width, "fan_out": rows}
    )
    kernel = Block(action, reason, certainty=certainty)
    return [kernel if isinstance(one.action, Draw) else one for one in known]


def is_matrix_product(node: Node) -> bool:
    """Tell whether a product is one of matrices."""
    name = fold(getattr(node.call, "__name__", ""))
    return name in PRODUCTS or name == "einsum"


def is_lookup(node: Node) -> bool:
    """Tell whether a product reads rows of its kernel: it is an embedding, as a function or as a module."""
    if isinstance(node.call, nn.Embedding | nn.EmbeddingBag):
        return True
    return fold(getattr(node.call, "__name__", "")) in LOOKUPS


def find_following(finder: ActivationFinder, named: NamedTensor, layout: str) -> Inference:
    """Find what follows a kernel. Parts that are not rows are drawn as a whole, with the fans of one."""
    found = finder.find(named.parameter, named.module)
    if not found.parts or layout.startswith("O"):
        return found
    lengths = {length for length, _ in found.parts.values()}
    inferences = [inference for _, inference in found.parts.values()]
    if len(lengths) > 1 or len({inference.activation for inference in inferences}) > 1:
        return Inference(None, f"{found.reason} They differ, and are not made of rows.", "unknown")
    least = max(inferences, key=lambda inference: CERTAINTIES.index(inference.certainty))
    return replace(least, reason=f"{found.reason} {least.reason}", outputs=min(lengths))
