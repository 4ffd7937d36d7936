"""Kernels: how tensors are initialized by the products that apply them, and what follows those."""

from dataclasses import replace

from torch import nn

from weightinit.adapters.actions import CERTAINTIES, Block, Certainty, Constant, Draw
from weightinit.adapters.flow.graph import Node, Role, find_nodes, fold
from weightinit.adapters.flow.inference import Inference
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


def guess_biases(finder: ActivationFinder, named: NamedTensor) -> Block | None:
    """Guess that what an embedding looks up are biases of attention, where they are added to its logits."""
    if not find_tables(named.owners):
        return None
    products = [node for tensor in named.tied for node in finder.find_products(tensor)]
    if not products or not all(is_lookup(node) and is_added_to_logits(node) for node in products):
        return None
    reason = "What is looked up is added to the logits of attention: it begins at zero, as all biases."
    return Block(Constant(0.0), reason, certainty="guessed")


def is_added_to_logits(lookup: Node) -> bool:
    """Tell whether what is looked up is added to a product of two signals on the way to a softmax."""
    pending, seen, meets = [lookup], {lookup}, False
    while pending:
        node = pending.pop()
        for user in node.users:
            if name_call(user) == "scaleddotproductattention":
                mask = user.keywords.get("attn_mask", user.arguments[3:4])
                return node in find_nodes(mask)
            if user.activation is not None and "softmax" in user.activation:
                return meets
            if user in seen or user.role not in {Role.ADD, Role.MOVE, Role.SPLIT, Role.MULTIPLY}:
                continue
            others = [source for source in user.inputs if source not in seen]
            meets = meets or (user.role is Role.ADD and any(map(is_score, others)))
            seen.add(user)
            pending.append(user)
    return False


def is_score(node: Node) -> bool:
    """Tell whether a signal is a product of two signals, scaled and moved."""
    while node.role in {Role.MOVE, Role.SPLIT, Role.MULTIPLY} and node.inputs:
        node = next((source for source in node.inputs if not source.is_constant), node.inputs[0])
    return is_matrix_product(node) and not node.parameters


def name_call(node: Node) -> str:
    """Return the folded name of what computes a node."""
    return fold(getattr(node.call, "__name__", ""))


def is_matrix_product(node: Node) -> bool:
    """Tell whether a product is one of matrices."""
    return name_call(node) in {*PRODUCTS, "einsum"}


def is_lookup(node: Node) -> bool:
    """Tell whether a product reads rows of its kernel: it is an embedding, as a function or as a module."""
    return isinstance(node.call, nn.Embedding | nn.EmbeddingBag) or name_call(node) in LOOKUPS


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
