"""The plans of known architectures agree with the records of their source code."""

import pytest

from tests.clients.architectures import timm_records, torchvision_records, transformers_records
from tests.clients.architectures.records import find_gaps, judge

RECORDS = [*torchvision_records.RECORDS, *timm_records.RECORDS, *transformers_records.RECORDS]

EACH = pytest.mark.parametrize("record", [pytest.param(record, id=record.name) for record in RECORDS])


@EACH
def test_no_kernel_is_silently_wrong(record):
    wrong = [str(kernel) for kernel in judge(record) if kernel.verdict in {"name", "scheme"}]
    assert wrong == []


@EACH
def test_no_kernel_is_unknown(record):
    unknown = {kernel.name for kernel in judge(record) if kernel.verdict == "unknown"}
    assert unknown == set()


@EACH
def test_each_kernel_has_a_row_and_each_row_a_kernel(record):
    assert find_gaps(record) == []
