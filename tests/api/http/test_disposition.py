import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.http.disposition import format_disposition


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("", 'attachment; filename="weights.npy"'),
        ("encoder.0.mlp.fc1.weight", 'attachment; filename="encoder.0.mlp.fc1.weight.npy"'),
        ("hidden1/kernel:0", 'attachment; filename="hidden1_kernel_0.npy"'),
        ("../../etc/passwd", 'attachment; filename="etc_passwd.npy"'),
        ('a"; filename="b', 'attachment; filename="a_filename_b.npy"'),
        ("a\r\nSet-Cookie: b", 'attachment; filename="a_Set-Cookie_b.npy"'),
        (".bashrc", 'attachment; filename="bashrc.npy"'),
        ("schicht é", "attachment; filename=\"schicht.npy\"; filename*=UTF-8''schicht_%C3%A9.npy"),
        ("层", "attachment; filename=\"weights.npy\"; filename*=UTF-8''%E5%B1%82.npy"),
    ],
)
def test_a_file_is_named_after_its_tensor(name, disposition):
    assert format_disposition(name, ".npy") == disposition


@given(st.text())
def test_no_name_breaks_out_of_the_header_or_the_folder(name):
    disposition = format_disposition(name, ".npy")
    found = re.fullmatch(
        r"attachment; filename=\"([A-Za-z0-9._+-]+)\"(?:; filename\*=UTF-8''([!-~]+))?", disposition
    )
    for file in filter(None, found.groups()):
        assert not unquote(file).startswith(".")
        assert not set(unquote(file)) & set("/\\\0\n\r")
        assert unquote(file).endswith(".npy")
