"""The plans of known architectures say what the architectures' own code says."""

import pytest

from tests.clients.architectures import timm_records, torchvision_records, transformers_records
from tests.clients.architectures.records import find_gaps, judge

RECORDS = [*torchvision_records.RECORDS, *timm_records.RECORDS, *transformers_records.RECORDS]

# What is known to be wrong. A test that passes nevertheless fails: its line here goes.
FAULTS = {
    "torchvision mobilenet_v2": "nn.ReLU6 runs hardtanh from 0 to 6, which is taken for hard tanh",
    "transformers GemmaForCausalLM": "gelu(approximate='tanh') is taken for gelu",
}
# Kernels of which the plan says that it does not know what follows.
UNKNOWN = {
    "torchvision inception_v3": {"fc.weight", "AuxLogits.fc.weight"},
    "timm beit_base_patch16_224": {f"blocks.{number}.attn.qkv.weight" for number in range(12)},
    # Its Conv1D is no layer of PyTorch's.
    "transformers GPT2LMHeadModel": {
        f"transformer.h.{number}.{kernel}.weight"
        for number in range(2)
        for kernel in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    },
}


def mark(record):
    fault = FAULTS.get(record.name)
    return pytest.param(record, id=record.name, marks=[pytest.mark.xfail(reason=fault)] if fault else [])


EACH = pytest.mark.parametrize("record", [pytest.param(record, id=record.name) for record in RECORDS])


@pytest.mark.parametrize("record", [mark(record) for record in RECORDS])
def test_no_kernel_is_silently_wrong(record):
    wrong = [str(kernel) for kernel in judge(record) if kernel.verdict in {"name", "scheme"}]
    assert wrong == []


@EACH
def test_nothing_is_unknown_but_what_is_listed(record):
    unknown = {kernel.name for kernel in judge(record) if kernel.verdict == "unknown"}
    assert unknown <= UNKNOWN.get(record.name, set())


@EACH
def test_each_kernel_has_a_row_and_each_row_a_kernel(record):
    assert find_gaps(record) == []
