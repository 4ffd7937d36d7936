"""Describe how a tensor is initialized from the operations in the graph that use it.

Used by `plan` for tensors that no known layer owns, and for embedding tables. A use is a matrix product, a
convolution or a lookup that takes the tensor.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from torch import nn

from weightinit.adapters.actions import CERTAINTIES, TIED, Block, Certainty, Constant, Draw
from weightinit.adapters.flow.graph import Node, Role, find_nodes, fold
from weightinit.adapters.flow.inference import Inference, choose
from weightinit.torch.layers import describe_head, find_tables
from weightinit.torch.tracing.activations import ActivationFinder
from weightinit.torch.tracing.operands import FUNCTION
from weightinit.torch.tracing.uses import MATRIX_PRODUCTS, Use, find_letters, join
from weightinit.torch.walk import NamedTensor

if TYPE_CHECKING:
    from weightinit.spec.fields import LayerFields

STACKED = "One of its axes of outputs may be of stacked kernels, which a product does not show."
GENERATES = "Its output is the kernel of another product, for which its σ does not allow."
REWRITTEN = "The model's forward changes its values."
CODEBOOK = "Signals are compared with it, as with a codebook: nothing determines its σ."
BESIDE = "Its product applies other kernels beside it."
# Operations that measure distances between signals and the rows of a table.
DISTANCES = ("cdist", "cosinesimilarity", "pairwisedistance")
# Operations that read rows of their kernel.
LOOKUPS = ("embedding", "embeddingbag")


def describe_use(finder: ActivationFinder, named: NamedTensor, known: list[Block]) -> list[Block]:
    """Describe a tensor by the products that use it, or by its layer if they add nothing.

    The products count for a tensor that no known layer has, and for an embedding table that is also a kernel.
    Returns [] if it is unknown how the tensor is initialized.
    """
    if not known:
        return describe_kernel(finder, named)
    if finder.is_plain or not find_tables(named.owners) or known[0].reason == TIED:
        return known
    return describe_table(finder, named, known)


def describe_kernel(finder: ActivationFinder, named: NamedTensor) -> list[Block]:
    """Describe a kernel that no known layer has, by the products that use it; [] if there is none."""
    if named.parameter.ndim < 2 or not named.parameter.is_floating_point():
        return []
    uses = [use for use in finder.find_uses(named.parameter) if FUNCTION not in use.doubt]
    if not uses:
        return []
    use = next((one for one in uses if not one.doubt), uses[0])
    layer: LayerFields = {"layout": use.letters}
    if use.groups > 1 and use.letters.startswith("O"):
        layer["groups"] = use.groups
    elif use.groups > 1 or not use.is_whole:
        layer |= {"fan_in": use.fans[0], "fan_out": use.fans[1]}
    reason = STACKED if use.letters.count("O") > 1 else ""
    return [Block(Draw(layer), reason, certainty="guessed" if reason or use.doubt else "certain")]


def describe_table(finder: ActivationFinder, named: NamedTensor, known: list[Block]) -> list[Block]:
    """Describe an embedding's table, which may also be the kernel of the output layer, or only a kernel.

    A product that sums over its rows mixes them, like a lookup of each, and changes nothing.
    """
    products = [(node, tensor) for tensor in named.tied for node in finder.find_products(tensor)]
    if any(is_comparison(node) for node, _ in products):
        return [replace(one, reason=CODEBOOK, certainty="guessed") for one in known]
    is_looked_up = any(is_lookup(node) for node, _ in products)
    layouts = {
        find_letters(node, tensor) for node, tensor in products if is_matrix_product(node)
    }  # "" for a part of the table or a value computed from it
    if not layouts or (is_looked_up and layouts == {"IO"}):
        return known
    shape = rows, width = named.parameter.shape
    if is_looked_up:
        certainty: Certainty = "certain" if "OI" in layouts else "guessed"
        head = describe_head(find_tables(named.owners)[0], tuple(shape))
        return [replace(one, certainty=certainty) if isinstance(one.action, Draw) else one for one in head]
    reason = "The table of an embedding that is not looked up, but the kernel of a product."
    certainty = "guessed" if layouts == {""} or len(layouts) > 1 else "certain"
    action = Draw(
        {"layout": "IO"} if layouts == {"IO"} else {"layout": "IO", "fan_in": width, "fan_out": rows}
    )
    kernel = Block(action, reason, certainty=certainty)
    return [kernel if isinstance(one.action, Draw) else one for one in known]


def guess_biases(finder: ActivationFinder, named: NamedTensor) -> Block | None:
    """Describe an embedding whose rows are added to the logits of attention as biases, a guess; else None."""
    if finder.is_plain or not find_tables(named.owners):
        return None
    products = [node for tensor in named.tied for node in finder.find_products(tensor)]
    if not products or not all(is_lookup(node) and is_added_to_logits(node) for node in products):
        return None
    reason = "What is looked up is added to the logits of attention: it starts at zero, as all biases."
    return Block(Constant(0.0), reason, certainty="guessed")


def is_added_to_logits(lookup: Node) -> bool:
    """Return whether the result of a lookup is added to a product of two signals before a softmax."""
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
    """Return whether a node is a product of two signals, perhaps scaled or moved."""
    while node.role in {Role.MOVE, Role.SPLIT, Role.MULTIPLY} and node.inputs:
        node = next((source for source in node.inputs if not source.is_constant), node.inputs[0])
    return is_matrix_product(node) and not node.parameters


def name_call(node: Node) -> str:
    """Return the normalized name of the function that computes a node."""
    return fold(getattr(node.call, "__name__", ""))


def is_matrix_product(node: Node) -> bool:
    """Return whether a node is a matrix product."""
    return name_call(node) in MATRIX_PRODUCTS


def is_comparison(node: Node) -> bool:
    """Return whether a product compares signals with its kernel, by a distance or a following argmax."""
    if name_call(node) in DISTANCES:
        return True
    if not is_matrix_product(node):
        return False
    pending, seen = [node], {node}
    while pending:
        users = pending.pop().users
        if any(user.role is Role.OUTPUT for user in users):
            return False
        fresh = [user for user in users if user not in seen and user.role is not Role.IGNORED]
        seen.update(fresh)
        pending += fresh
    return True


def is_lookup(node: Node) -> bool:
    """Return whether a product is an embedding, as a function or as a module."""
    return isinstance(node.call, nn.Embedding | nn.EmbeddingBag) or name_call(node) in LOOKUPS


def find_following(finder: ActivationFinder, named: NamedTensor, layout: str) -> Inference:
    """Return what follows a kernel. Parts that are not rows are drawn as a whole, with the fans of one."""
    found = choose([finder.find(tensor, named.module) for tensor in named.tied])
    found = fit_parts(found, named, layout)
    uses = list(dict.fromkeys(use for tensor in named.tied for use in finder.find_uses(tensor)))
    others = [
        *([GENERATES] if any(map(finder.is_generator, named.tied)) else []),
        *([REWRITTEN] if any(map(finder.is_rewritten, named.tied)) else []),
    ]
    return note_uses(found, uses, layout, others)


def fit_parts(found: Inference, named: NamedTensor, layout: str) -> Inference:
    """Adapt the parts found behind a kernel to its size and layout."""
    if not found.parts:
        return found
    lengths = {length for length, _ in found.parts.values()}
    inferences = [inference for _, inference in found.parts.values()]
    least = max(inferences, key=lambda inference: CERTAINTIES.index(inference.certainty))
    is_same = len({inference.function for inference in inferences}) == 1
    if layout.startswith("O") and sum(length for length, _ in found.parts.values()) != len(named.parameter):
        # Its product also uses other kernels, which some of the parts belong to.
        is_one = is_same and lengths == {len(named.parameter)}
        return least if is_one else replace(least, certainty="guessed", reason=f"{least.reason} {BESIDE}")
    if layout.startswith("O"):
        return found
    if len(lengths) > 1 or not is_same:
        return Inference(None, f"{found.reason} They differ, and are not made of rows.", "unknown")
    return replace(least, reason=f"{found.reason} {least.reason}", outputs=min(lengths))


def note_uses(found: Inference, uses: Sequence[Use], layout: str, others: Sequence[str]) -> Inference:
    """Add to an inference how products use a kernel, and `others`; a guess where these give other fans."""
    doubts = list(dict.fromkeys([*(use.doubt for use in uses if use.doubt), *others]))
    letters = {layout, *(use.letters for use in uses if use.is_whole)} - {""}
    if len(letters) > 1:
        doubts.append(f"Products apply it as {' and as '.join(sorted(letters))}, with other fans.")
    elif len({use.fans for use in uses}) > 1:
        doubts.append("Products apply it with several fans.")
    notes = list(dict.fromkeys(use.note for use in uses if use.note))
    if not doubts and not notes:
        return found
    certainty = "guessed" if doubts and found.certainty == "certain" else found.certainty
    return replace(found, certainty=certainty, reason=join(found.reason, *doubts, *notes))
