"""Models for tests, in a module whose assertions pytest does not rewrite."""

import torch
import torch.nn.functional as F  # noqa: N812 - as PyTorch's users call it
from torch import nn


def check_rank(x):
    """Assert a property that only a real tensor has, and return the tensor."""
    assert x.dim() == 2
    assert x.shape[0] > 0, f"received {x.shape}"
    return x


def reversed_pair(sizes):
    """Unpack two sizes."""
    rows, columns = sizes
    return columns, rows


class Residual(nn.Module):
    """Convolutions of every kind, as in a residual network."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 16, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(16, 8, 1, groups=4)
        self.bn2 = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2)
        self.act = nn.SiLU()
        self.head = nn.Linear(4, 5)

    def forward(self, x):
        x = F.relu(self.bn1(self.stem(x)))
        y = self.grouped(self.act(self.depthwise(x)))
        x = F.relu(x + self.bn2(y))
        return self.head(torch.tanh(self.up(x)).mean((2, 3)))


class Block(nn.Module):
    """A block of a small GPT, with attention written out."""

    def __init__(self, width):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, x):
        batch, time, width = x.size()
        q, k, v = self.c_attn(self.ln_1(x)).split(width, dim=2)
        q = q.view(batch, time, 2, width // 2).transpose(1, 2)
        k = k.view(batch, time, 2, width // 2).transpose(1, 2)
        v = v.view(batch, time, 2, width // 2).transpose(1, 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(batch, time, width))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    """A small GPT, whose output layer shares the table of tokens."""

    def __init__(self, vocabulary=11, context=6, width=4, depth=2):
        super().__init__()
        self.context = context
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.h = nn.ModuleList([Block(width) for _ in range(depth)])
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        _, time = tokens.size()
        assert time <= self.context, f"{time} tokens are more than {self.context}"
        x = self.wte(tokens) + self.wpe(torch.arange(0, time, device=tokens.device))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))
