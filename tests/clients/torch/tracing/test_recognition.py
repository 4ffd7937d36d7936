"""What follows a kernel is recognized by values: in subclasses, formulas, gates and packed kernels."""

import builtins
import copy
import math
import random
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn
from torch.utils.checkpoint import checkpoint
from weightinit.torch.tracing.activations import ActivationFinder, find_all, record_module
from weightinit.torch.tracing.symbolic import Traced, trace_whole

# ruff: noqa: ARG005 - every forward takes the same

WIDTH = 48


class Between(nn.Module):
    """Two layers, and what its test does between them."""

    def __init__(self, rest, width=WIDTH):
        super().__init__()
        self.embed = nn.Embedding(8, 16)
        self.layer = nn.Linear(16, width)
        self.other = nn.Linear(16, width)
        self.gain = nn.Parameter(torch.ones(width))
        self.slope = nn.Parameter(torch.tensor(0.2))
        self.register_buffer("zeros", torch.zeros(width))
        self.rest = rest

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.rest(self, self.layer(x), x) @ torch.ones(WIDTH, 3, device=x.device)


def find(module, layer):
    """Find what follows a layer, given its name."""
    found = module.get_submodule(layer)
    return ActivationFinder(module).find(found.weight, found)


class Swish(torch.autograd.Function):
    """SiLU with a gradient of its own, as several libraries have it."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, gradient):  # noqa: ARG004 - PyTorch's signature
        return gradient


SPELLED = {
    "clamp": (lambda net, y, x: y.clamp(min=0), "relu"),
    "maximum": (lambda net, y, x: torch.maximum(y, torch.zeros(())), "relu"),
    "maximum of zeros": (lambda net, y, x: torch.max(y, torch.zeros_like(y)), "relu"),
    "maximum of a buffer": (lambda net, y, x: torch.max(y, net.zeros), "relu"),
    "comparison": (lambda net, y, x: y * (y > 0), "relu"),
    "where": (lambda net, y, x: torch.where(y > 0, y, 0.2 * y), "leaky_relu"),
    "where of a parameter": (lambda net, y, x: torch.where(y >= 0, y, net.slope * y), "leaky_relu"),
    "gelu by erf": (lambda net, y, x: y * 0.5 * (1 + torch.erf(y / math.sqrt(2))), "gelu"),
    "gelu by tanh": (
        lambda net, y, x: 0.5 * y * (1 + torch.tanh(math.sqrt(2 / math.pi) * (y + 0.044715 * y**3))),
        "gelu_tanh",
    ),
    "quick gelu": (lambda net, y, x: y * torch.sigmoid(1.702 * y), "quick_gelu"),
    "hard sigmoid": (lambda net, y, x: F.relu6(y + 3) / 6, "hard_sigmoid"),
    "hard silu": (lambda net, y, x: y * F.relu6(y + 3) / 6, "hard_silu"),
    "silu": (lambda net, y, x: y / (1 + torch.exp(-y)), "silu"),
    "mish": (lambda net, y, x: y * torch.tanh(F.softplus(y)), "mish"),
    "softplus": (lambda net, y, x: torch.logaddexp(y, torch.zeros_like(y)), "softplus"),
    "function with a gradient": (lambda net, y, x: Swish.apply(y), "silu"),
    "scaled argument": (lambda net, y, x: F.gelu(2 * y), "gelu"),
    "scaled result": (lambda net, y, x: 1.7 * F.relu(y), "relu"),
    "concatenated with its negative": (lambda net, y, x: F.relu(torch.cat([y, -y], -1))[..., :WIDTH], "relu"),
    "script": (lambda net, y, x: torch.jit.script(nn.ReLU())(y), "relu"),
    "checkpoint": (lambda net, y, x: checkpoint(F.relu, y, use_reentrant=False), "relu"),
}

MOVED = {
    "masked": lambda y: y.masked_fill(torch.ones(WIDTH, device=y.device) > 0, 0.0),
    "repeated": lambda y: y.repeat(1, 1, 2)[..., :WIDTH],
    "flipped": lambda y: y.flip(1),
    "rolled": lambda y: y.roll(1, -1),
    "cast up": lambda y: y.double(),
    "cast down": lambda y: y.type(torch.bfloat16),
    "selected": lambda y: y.index_select(1, torch.zeros(16, dtype=torch.long, device=y.device)),
    "summed up": lambda y: y.cumsum(0),
    "pooled": lambda y: y.unsqueeze(-1).amax(-1),
    "shuffled": lambda y: y.view(2, 16, 4, 12).transpose(2, 3).reshape(2, 16, WIDTH),
    "numbers replaced": torch.nan_to_num,
    "with noise": lambda y: y + torch.randn_like(y),
    "transformed": lambda y: torch.fft.fft(y).real,
    "root mean square": lambda y: y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-6),
    "root mean square, divided": lambda y: y / (y.pow(2).mean(-1, keepdim=True).sqrt() + 1e-6),
    "layer norm by hand": lambda y: (y - y.mean(-1, keepdim=True)) / (y.var(-1, keepdim=True) + 1e-5).sqrt(),
    "standard deviation": lambda y: (y - y.mean(-1, keepdim=True)) / y.std(-1, keepdim=True),
    "length": lambda y: y / y.norm(dim=-1, keepdim=True),
    "rows in turn": lambda y: torch.stack(list(y)),
}


@pytest.mark.parametrize(("rest", "activation"), SPELLED.values(), ids=SPELLED)
def test_an_activation_is_known_however_it_is_written(rest, activation):
    found = find(Between(rest), "layer")
    assert (found.activation, found.certainty) == (activation, "certain")


@pytest.mark.parametrize("move", MOVED.values(), ids=MOVED)
def test_an_activation_is_found_behind(move):
    found = find(Between(lambda net, y, x: F.gelu(move(y)).float()), "layer")
    assert (found.activation, found.certainty) == ("gelu", "certain")


CUSTOM = {
    "sine": lambda net, y, x: torch.sin(y),
    "square": lambda net, y, x: y.square(),
    "squared relu": lambda net, y, x: F.relu(y).square(),
    "snake": lambda net, y, x: y + torch.sin(y) ** 2,
    "two signals": lambda net, y, x: torch.maximum(y, net.other(x)),
    "maximum with itself, moved": lambda net, y, x: torch.maximum(y, y.roll(1, -1)),
    "cumulative product": lambda net, y, x: y.cumprod(-1),
}


@pytest.mark.parametrize("rest", CUSTOM.values(), ids=CUSTOM)
def test_a_function_that_no_table_has_is_unknown(rest):
    found = find(Between(rest), "layer")
    assert (found.activation, found.certainty) == (None, "unknown")


def test_a_custom_function_is_named_with_its_moments():
    reason = find(Between(CUSTOM["squared relu"]), "layer").reason
    assert "square()" in reason
    assert "E[φ²] = 1.5, E[φ'²] = 2" in reason  # the integrals of a standard normal variable


# --- subclasses and leaves ------------------------------------------------------------------------


class ConvReLU(nn.Conv2d):
    """A convolution that applies its activation itself."""

    def forward(self, x):
        return F.relu(super().forward(x))


class NormAct(nn.BatchNorm2d):
    """A norm that applies an activation, as timm's BatchNormAct2d."""

    def forward(self, x):
        return F.silu(super().forward(x))


class Standardized(nn.Conv2d):
    """A convolution that standardizes its kernel, as in Qiao et al. 2019."""

    def forward(self, x):
        mean, deviation = self.weight.mean((1, 2, 3), keepdim=True), self.weight.std((1, 2, 3), keepdim=True)
        return F.conv2d(x, (self.weight - mean) / deviation, self.bias)


class NormedLinear(nn.Module):
    """A layer with a kernel of its own, whatever its name says."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(4, 4))

    def forward(self, x):
        return F.linear(F.normalize(x), F.normalize(self.weight))


HIDING = {
    "convolution": (nn.Sequential(ConvReLU(3, 8, 3), nn.Conv2d(8, 4, 1)), "relu"),
    "norm": (nn.Sequential(nn.Conv2d(3, 8, 3), NormAct(8), nn.Conv2d(8, 4, 1)), "silu"),
    "norm in evaluation": (nn.Sequential(nn.Conv2d(3, 8, 3), NormAct(8), nn.Conv2d(8, 4, 1)).eval(), "silu"),
    "standardized kernel": (nn.Sequential(Standardized(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 1)), "relu"),
    "layer named norm": (nn.Sequential(nn.Linear(4, 4), NormedLinear(), nn.ReLU()), None),
}


@pytest.mark.parametrize(("module", "activation"), HIDING.values(), ids=HIDING)
def test_subclasses_and_leaves_are_opened(module, activation):
    found = find(module, "0")
    assert (found.activation, found.certainty) == (activation, "certain")


def test_a_kernel_of_a_custom_layer_is_followed():
    model = nn.Sequential(nn.Linear(4, 4), NormedLinear(), nn.ReLU())
    assert ActivationFinder(model).find(model[1].weight, model[1]).activation == "relu"


def test_a_kernel_that_only_training_uses_is_followed():
    class Auxiliary(nn.Module):
        def __init__(self):
            super().__init__()
            self.main, self.side = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return (self.main(x), torch.tanh(self.side(x))) if self.training else self.main(x)

    assert find(Auxiliary().eval(), "side").activation == "tanh"


# --- gates ----------------------------------------------------------------------------------------

GATES = {
    "silu": lambda y, g: F.silu(g) * y,
    "sigmoid": lambda y, g: y * g * torch.sigmoid(g),
    "sigmoid in another order": lambda y, g: torch.sigmoid(g) * y * g,
    "exponential": lambda y, g: y * g / (1 + torch.exp(-g)),
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_both_halves_of_a_gate_are_known_however_it_is_written(gate):
    model = Between(lambda net, y, x: gate(y, net.other(x)))
    assert [find(model, layer).activation for layer in ("layer", "other")] == ["swiglu", "silu"]


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_fused_gate_is_one_kernel(gate):
    found = find(Between(lambda net, y, x: gate(*y.chunk(2, -1)).repeat(1, 1, 2)), "layer")
    assert (found.activation, found.certainty, found.parts) == ("swiglu", "certain", {})


def test_a_signal_that_scales_itself_is_no_gate():
    class Excited(nn.Module):
        """Squeeze and excitation before the activation (Hu et al. 2018, figure 3)."""

        def __init__(self):
            super().__init__()
            self.conv, self.up = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1)

        def forward(self, x):
            y = self.conv(x)
            return F.relu(y * torch.sigmoid(self.up(y.mean((2, 3), keepdim=True))))

    assert [find(Excited(), layer).activation for layer in ("conv", "up")] == ["relu", "sigmoid"]


# --- packed kernels -------------------------------------------------------------------------------


def attend(q, k, v):
    """Attend by hand."""
    return (q @ k.transpose(-2, -1)).softmax(-1) @ v


def split_heads(y):
    """Split into queries, keys and values of four heads, as many vision transformers do."""
    return y.view(2, 16, 3, 4, 4).permute(2, 0, 3, 1, 4)


def join(heads):
    """Join heads, to the width of the next layer."""
    return heads.transpose(1, 2).flatten(2).repeat(1, 1, 3)


def rotate(q):
    """Rotate pairs, as in rotary embeddings (Su et al. 2021)."""
    first, second = q.chunk(2, -1)
    return q * 0.6 + torch.cat([-second, first], -1) * 0.8


PACKED = {
    "chunk": lambda net, y, x: attend(*y.chunk(3, -1)).repeat(1, 1, 3),
    "split": lambda net, y, x: F.scaled_dot_product_attention(*y.split(16, -1)).repeat(1, 1, 3),
    "slices": lambda net, y, x: attend(y[..., :16], y[..., 16:32], y[..., 32:]).repeat(1, 1, 3),
    "heads, unbound": lambda net, y, x: join(attend(*split_heads(y).unbind(0))),
    "heads, indexed": lambda net, y, x: join(attend(*(split_heads(y)[place] for place in range(3)))),
    "heads, rotated": lambda net, y, x: join(
        attend(rotate(split_heads(y)[0]), rotate(split_heads(y)[1]), split_heads(y)[2])
    ),
}


@pytest.mark.parametrize("rest", PACKED.values(), ids=PACKED)
def test_queries_keys_and_values_in_one_layer_are_three_kernels(rest):
    found = find(Between(rest), "layer")
    lengths = {name: length for name, (length, _) in found.parts.items()}
    assert (lengths, found.certainty) == ({"q": 16, "k": 16, "v": 16}, "certain")


def test_a_cell_written_by_hand_is_a_kernel_for_each_gate():
    def rest(net, y, x):
        i, f, g, o = y.chunk(4, -1)
        c = f.sigmoid() * net.gain[:12] + i.sigmoid() * g.tanh()
        return (o.sigmoid() * c.tanh()).repeat(1, 1, 4)

    parts = find(Between(rest), "layer").parts.values()
    activations = [inference.activation for _, inference in parts]
    assert activations == ["sigmoid", "sigmoid", "tanh", "sigmoid"]


BEFORE_PARTS = {
    "dropout": lambda x: F.dropout(x, training=True),
    "dropout by keyword": lambda x: F.dropout(input=x, training=True),
    "alpha dropout": lambda x: F.alpha_dropout(x, training=True),
    "dropout of features": lambda x: F.dropout1d(x, training=True),
    "a module": nn.Dropout(),
}


@pytest.mark.parametrize("change", BEFORE_PARTS.values(), ids=BEFORE_PARTS)
def test_the_parts_of_a_kernel_are_told_behind_what_drops_elements(change):
    ones = torch.ones(WIDTH // 2, WIDTH)

    def rest(model, x, other):
        first, second = change(x).chunk(2, -1)
        return first.relu() @ ones.to(x.device) + second.tanh() @ ones.to(x.device)

    found = find(Between(rest), "layer")
    assert [(length, part.activation) for length, part in found.parts.values()] == [
        (WIDTH // 2, "relu"),
        (WIDTH // 2, "tanh"),
    ]


def test_kernels_that_lie_between_each_other_have_the_fan_out_of_one():
    def rest(net, y, x):
        heads = y.view(2, 16, 4, 3, 4).transpose(1, 2)  # head by head, as in BLOOM
        return join(attend(heads[..., 0, :], heads[..., 1, :], heads[..., 2, :]))

    found = find(Between(rest), "layer")
    assert (found.outputs, found.certainty) == (16, "certain")


def test_kernels_of_several_sizes_that_lie_between_each_other_are_a_guess():
    def rest(net, y, x):
        heads = y.view(2, 16, 4, 12)
        return torch.cat([heads[..., :8].relu(), heads[..., 8:].tanh()], -1).flatten(2)

    assert find(Between(rest), "layer").certainty == "guessed"


def test_the_first_token_is_no_part_of_a_kernel():
    assert find(Between(lambda net, y, x: y[:, 0]), "layer").parts == {}


# --- nothing is left behind -----------------------------------------------------------------------


class Counting(nn.Module):
    """A forward that counts in a buffer, keeps what it saw and draws numbers."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(4))
        self.seen = []
        self.cache = {}

    def forward(self, x):
        self.calls += 1
        self.mean.mul_(0.9).add_(1)
        self.seen.append(x)
        self.cache["x"] = x
        noise = torch.rand(4).sum() + random.random() + np.random.rand()  # noqa: NPY002
        return F.relu(self.layer(x)) + float(noise)


class Branching(Counting):
    """The same, with a branch that no run without values can take."""

    def forward(self, x):
        y = super().forward(x)
        return y if y.sum() > 0 else -y


@pytest.mark.parametrize("kind", [Counting, Branching])
def test_buffers_and_attributes_stay_what_they_were(kind):
    model = kind()
    before = copy.deepcopy(model.state_dict())
    find(model, "layer")
    assert (model.seen, model.cache) == ([], {})
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kind", [Counting, Branching])
def test_the_global_generators_stay_what_they_were(kind):
    model = kind()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    find(model, "layer")
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]  # noqa: NPY002


def test_what_cannot_be_copied_is_shared():
    class Locked(nn.Sequential):
        def __deepcopy__(self, memo):
            raise RuntimeError("this model is not copied")

    assert find(Locked(nn.Linear(4, 4), nn.ReLU()), "0").activation == "relu"


class AskingForTypes(nn.Module):
    """Takes one branch with tensors, and another with anything else."""

    def __init__(self, kinds):
        super().__init__()
        self.kinds = kinds
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        y = self.first(x)
        return self.last(torch.relu(y) if isinstance(y, self.kinds) else torch.tanh(y))


@pytest.mark.parametrize("kinds", [torch.Tensor, (list, torch.Tensor), list | torch.Tensor])
def test_a_model_that_asks_for_tensors_takes_their_branch(kinds):
    module = AskingForTypes(kinds)
    nodes = trace_whole(module)
    found = find_all([Traced(nodes, "")])
    assert found[id(module.first.weight)].activation == "relu"


def test_isinstance_is_pythons_own_after_a_trace():
    trace_whole(AskingForTypes(torch.Tensor))
    assert builtins.isinstance.__module__ == "builtins"


def test_a_trace_reads_tensors_that_a_forward_makes():
    class Shifted(nn.Sequential):
        def forward(self, x):
            return self[1](torch.clamp(self[0](x) + torch.zeros(4), min=0))

    nodes = trace_whole(Shifted(nn.Linear(4, 4), nn.Linear(4, 4)))
    assert nodes is not None


class Applying(nn.Module):
    """Applies a function between two kernels."""

    def __init__(self, function):
        super().__init__()
        self.first, self.last, self.function = nn.Linear(4, 4), nn.Linear(4, 4), function

    def forward(self, x):
        return self.last(self.function(self.first(x)))


@pytest.mark.parametrize(
    ("function", "activation"),
    [
        (lambda x: F.gelu(x, approximate="tanh"), "gelu_tanh"),
        (nn.GELU("tanh"), "gelu_tanh"),
        (lambda x: F.hardtanh(x, 0.0, 6.0), "relu6"),
        (nn.Hardtanh(0.0, 6.0), "relu6"),
        (lambda x: F.threshold(x, 0.0, 0.0), "relu"),
    ],
)
@pytest.mark.parametrize("find_nodes", [trace_whole, lambda module: record_module(module, training=True)])
def test_arguments_make_another_activation(function, activation, find_nodes):
    module = Applying(function)
    found = find_all([Traced(find_nodes(module), "")])
    assert found[id(module.first.weight)].activation == activation


class Functional(nn.Module):
    """Gives kernels by keyword, as timm's BEiT does."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Conv1d(4, 4, 1), nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x):
        x = torch.relu(F.conv1d(x, bias=self.first.bias, weight=self.first.weight))
        x = torch.tanh(F.linear(x, bias=self.second.bias, weight=self.second.weight))
        return F.linear(input=x, weight=self.last.weight)


@pytest.mark.parametrize(("name", "activation"), [("first", "relu"), ("second", "tanh"), ("last", None)])
def test_a_kernel_may_be_given_by_keyword(name, activation):
    module = Functional()
    found = find_all([Traced(trace_whole(module), "")])[id(getattr(module, name).weight)]
    assert (found.activation, found.certainty) == (activation, "certain")


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


class Paired(nn.Module):
    """Returns a named tuple."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return Pair(self.first(x), torch.relu(self.second(x)))


@pytest.mark.parametrize("find_nodes", [trace_whole, lambda module: record_module(module, training=True)])
def test_a_named_tuple_ends_as_any_output(find_nodes):
    module = Paired()
    found = find_all([Traced(find_nodes(module), "")])
    assert [found[id(one.weight)].activation for one in (module.first, module.second)] == [None, "relu"]
    assert found[id(module.first.weight)].certainty == "certain"


def test_a_question_for_a_token_is_answered():
    class Asking(nn.Sequential):
        def forward(self, tokens):
            if 0 in tokens:
                raise ValueError("padding")
            return self[1](torch.relu(self[0](tokens)))

    module = Asking(nn.Embedding(8, 4), nn.Linear(4, 4))
    nodes = record_module(module, training=True)
    assert nodes is not None


class Masked(nn.Module):
    """Asks questions of values, whose answers are the same for all plain inputs."""

    def __init__(self, question):
        super().__init__()
        self.question = question
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        y = self.first(x)
        return self.last(torch.relu(y) if self.question(x, y) else torch.tanh(y))


@pytest.mark.parametrize(
    ("question", "activation"),
    [
        (lambda x, _: (x > 0).all(), "relu"),
        (lambda x, _: (x > 0).any(), "tanh"),
        (lambda x, _: (x > 0).all().item(), "relu"),
        (lambda x, _: (x > 0).sum() == x.numel(), "relu"),
        (lambda _, y: torch.isfinite(y).all(), "relu"),
    ],
)
def test_questions_about_inputs_are_answered_as_of_plain_ones(question, activation):
    module = Masked(question)
    found = find_all([Traced(record_module(module, training=True), "")])
    assert found[id(module.first.weight)].activation == activation


def test_a_question_about_a_signal_has_no_answer():
    assert record_module(Masked(lambda _, y: (y > 0).all()), training=True) is None


def test_the_halves_of_a_rotary_embedding_do_not_cancel_behind_a_norm():
    class Rotary(nn.Module):
        def __init__(self):
            super().__init__()
            self.query, self.norm, self.last = nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(16, 8)

        def forward(self, x):
            query = self.norm(self.query(x))
            first, second = query.chunk(2, dim=-1)
            angle = torch.arange(x.shape[1], device=x.device).float()[:, None]
            turned = query * angle.cos() + torch.cat([-second, first], dim=-1) * angle.sin()
            return self.last(turned @ turned.mT)

    module = Rotary()
    found = find_all([Traced(record_module(module, training=True), "")])[id(module.query.weight)]
    assert (found.activation, found.certainty) == (None, "certain")


def test_the_kernels_of_experts_are_grouped():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(8, 8)
            self.experts = nn.Parameter(torch.zeros(2, 8, 8))

        def forward(self, x):
            x = torch.relu(self.first(x))
            return torch._grouped_mm(x, self.experts, offs=torch.zeros(2, dtype=torch.int32, device=x.device))

    module = Experts()
    found = find_all([Traced(record_module(module, training=True), "")])
    assert found[id(module.first.weight)].activation == "relu"


@pytest.mark.parametrize("attribute", ["T", "mT", "H", "mH", "data"])
@pytest.mark.parametrize("find_nodes", [trace_whole, lambda module: record_module(module, training=True)])
def test_attributes_that_are_tensors_are_followed(attribute, find_nodes):
    class Turning(nn.Sequential):
        def forward(self, x):
            return self[1](torch.relu(getattr(self[0](x), attribute)))

    module = Turning(nn.Linear(2, 2), nn.Linear(2, 2))
    found = find_all([Traced(find_nodes(module), "")])
    assert found[id(module[0].weight)].activation == "relu"


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016), by memory that is filled afterwards, as timm has it."""

    def forward(self, x):
        kept = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(0.9)
        return x * kept.div_(0.9)


@pytest.mark.parametrize("find_nodes", [trace_whole, lambda module: record_module(module, training=True)])
def test_stochastic_depth_scales_a_signal(find_nodes):
    module = nn.Sequential(nn.Linear(4, 4), DropPath(), nn.ReLU(), nn.Linear(4, 4))
    nodes = find_nodes(module) or record_module(module, training=True)
    found = find_all([Traced(nodes, "")])[id(module[0].weight)]
    assert (found.activation, found.certainty) == ("relu", "certain")


def test_a_model_that_runs_in_the_other_mode_only_is_followed():
    class Inferring(nn.Sequential):
        def forward(self, tokens):
            if self.training:
                raise ValueError("labels are missing")
            return self[1](torch.relu(self[0](tokens)) * int(len(tokens) > 0))

    module = Inferring(nn.Linear(4, 4), nn.Linear(4, 4)).train()
    assert ActivationFinder(module).find(module[0].weight, module[0]).activation == "relu"
