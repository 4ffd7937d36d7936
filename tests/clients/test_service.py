"""The client against the service itself."""

import math
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from weightinit import Client, DigestMissing, SpecRejected
from weightinit.cli import main

from tests.servers import run_server

FLOAT = pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])


@pytest.fixture(scope="module")
def client(service_url):
    with Client(service_url, verify=True) as client:
        yield client


def test_parameters_are_those_of_the_book(client):
    decided = client.parameters((784, 300), activation="relu")
    assert (decided.scheme, decided.mode, decided.fan_in) == ("he", "fan_in", 784)
    assert decided.variance == 2 / 784
    assert decided.limit == pytest.approx(math.sqrt(6 / 784), rel=1e-12)


def test_a_rejected_spec_says_what_was_requested_and_each_rule_once(client, service_url):
    with pytest.raises(SpecRejected) as raised:
        client.parameters((3, 4), scheme="nothing")
    message = str(raised.value)
    assert message.startswith(f"parameters of 3×4 from {service_url}/v1/parameters: ")
    assert message.count(raised.value.errors[0].message) == 1


def test_weights_have_the_variance_that_parameters_say(client):
    decided = client.parameters((784, 300), activation="relu")
    array = client.weights((784, 300), activation="relu", seed=42, name="hidden1")
    assert abs(array).max() < decided.limit
    assert array.var() == pytest.approx(decided.variance, rel=0.02)


def test_the_same_question_has_the_same_answer(client, service_url):
    with Client(service_url) as other:
        first, second = (one.weights((64, 32), seed=7, name="a") for one in (client, other))
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("other", [{"seed": 8}, {"name": "b"}, {"scheme": "he"}, {"distribution": "normal"}])
def test_another_question_has_another(client, other):
    asked = {"seed": 7, "name": "a"}
    assert (
        client.weights((64, 32), **asked).tobytes()
        != client.weights((64, 32), **{**asked, **other}).tobytes()
    )


@FLOAT
def test_a_slice_is_a_slice_of_the_whole(client, dtype):
    whole = client.weights((70, 50, 3), layout="OIW", seed=1, name="w", dtype=dtype)
    box = (slice(3, 60), slice(-20, None), slice(1, 2))
    assert (
        client.weights((70, 50, 3), layout="OIW", seed=1, name="w", dtype=dtype, slice=box).tobytes()
        == whole[box].tobytes()
    )


@FLOAT
def test_raw_fetch_and_weights_are_the_same_bytes(client, dtype):
    array = client.weights((30, 20), seed=1, name="w", dtype=dtype)
    out = bytearray(array.nbytes)
    client.fetch((30, 20), seed=1, name="w", dtype=dtype, out=out)
    assert client.raw((30, 20), seed=1, name="w", dtype=dtype) == bytes(out) == array.tobytes()


def test_keras_and_torch_layouts_are_each_others_transpose(client):
    keras = client.weights((30, 20), layout="keras", seed=1, name="a")
    torch = client.weights((20, 30), layout="torch", seed=1, name="a")
    assert keras.T.tobytes() == torch.tobytes()


def test_a_seed_may_be_as_large_as_64_bits(client):
    number, text = (
        client.weights((4, 4), seed=seed, name="w") for seed in (2**64 - 1, "18446744073709551615")
    )
    assert number.tobytes() == text.tobytes()


def test_a_name_may_be_anything_that_is_text(client):
    names = ["", "a b", "a+b", "a%20b", "ä/ö&x=1#?", "名前", "x" * 1024]
    assert len({client.raw((4, 4), seed=1, name=name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("shape", "said", "field"),
    [
        ((784, 300), {"activation": "rleu"}, "activation"),
        ((784, 300), {"scheme": "hee"}, "scheme"),
        ((784, 300), {"groups": 7}, "groups"),
        ((784, 300), {"scale": -1.0, "scheme": "variance_scaling"}, "scale"),
        ((784, 300), {"scale": float("nan"), "scheme": "variance_scaling"}, "scale"),
        ((784, 300), {"layout": "IOX"}, "layout"),
        ((784, 300), {"mode": "fan"}, "mode"),
        ((784, 300), {"seed": -1}, "seed"),
        ((784, 300), {"seed": 2**64}, "seed"),
        ((784, 300), {"seed": "abc"}, "seed"),
        ((784, 300), {"name": "x" * 1025}, "name"),
        ((784,), {}, "shape"),
        ((1,) * 9, {}, "shape"),
        ((2**62,), {"fan_in": 1, "fan_out": 1, "slice": "0:1"}, "shape"),
    ],
)
def test_what_the_service_refuses_is_said_in_its_words(client, shape, said, field):
    with pytest.raises(SpecRejected, match=field) as raised:
        client.weights(shape, **{"seed": 1, "name": "w", **said})
    assert raised.value.status == 422
    assert field in [error.field for error in raised.value.errors]


def test_a_corrected_name_is_suggested(client):
    with pytest.raises(SpecRejected, match="Did you mean relu"):
        client.parameters((784, 300), activation="rleu")


def test_a_long_tensor_is_verified(client):
    assert client.weights((2048, 4096), seed=1, name="w", distribution="normal").std() == pytest.approx(
        client.parameters((2048, 4096), distribution="normal").stddev, rel=0.01
    )


def test_what_is_too_long_for_a_digest_cannot_be_verified():
    with run_server(WEIGHTINIT_MAX_DIGEST_BYTES="1000") as server, Client(server.url, verify=True) as client:
        client.weights((10, 10), seed=1, name="w")
        with pytest.raises(DigestMissing):
            client.weights((100, 100), seed=1, name="w")


def test_any_part_of_a_huge_tensor_is_quick(client):
    array = client.weights((2**20, 2**25), seed=1, name="w", slice=(slice(-1, None), slice(-4, None)))
    assert array.shape == (1, 4)


def test_a_killed_service_is_gone_on_with_by_its_replica(client):
    """kill -9 of one of two services while it sends."""
    shape, said = (4096, 4096), {"seed": 3, "name": "w", "distribution": "normal"}
    whole = client.weights(shape, **said)
    with run_server() as first, run_server() as second, Client([first.url, second.url]) as both:
        import weightinit.transport.sinks

        killed = []

        class KillingSink(weightinit.transport.sinks.MemorySink):
            def take(self, body, offset):
                if offset > whole.nbytes // 2 and not killed:
                    os.kill(first.process.pid, signal.SIGKILL)
                    killed.append(offset)
                return super().take(body, offset)

        array = np.empty_like(whole)
        from weightinit.spec.slices import TensorSlice
        from weightinit.transport.requests import make_weights_query

        query = make_weights_query(weightinit.Spec.of(shape, **said), TensorSlice.of(None, shape))
        both.transfer(query, KillingSink(memoryview(array).cast("B")), array.nbytes)
    assert killed
    assert array.tobytes() == whole.tobytes()


def test_the_command_line_saves_what_the_client_fetches(client, service_url, tmp_path, monkeypatch):
    monkeypatch.setenv("WEIGHTINIT_URL", service_url)
    path = tmp_path / "w.npy"
    command = ["weights", "784,300", "--activation", "relu", "--seed", "42", "--name", "fc1", "-o", str(path)]
    assert main(command) == 0
    expected = client.weights((784, 300), activation="relu", seed=42, name="fc1")
    assert np.load(path).tobytes() == expected.tobytes()


def test_the_command_line_saves_what_the_service_sends_as_npy(service_url, tmp_path):
    import httpx

    for dtype in ("float32", "bfloat16"):
        path = tmp_path / f"{dtype}.npy"
        command = ["weights", "30,20", "--seed", "1", "--name", "w", "--dtype", dtype]
        command += ["-o", str(path), "--url", service_url]
        assert main(command) == 0
        answer = httpx.get(f"{service_url}/v1/weights?shape=30,20&seed=1&name=w&dtype={dtype}")
        assert path.read_bytes() == answer.content


MEASURE = """
import ctypes, resource, sys, mmap
import weightinit
size = int(sys.argv[2])
out = memoryview(bytearray(size))  # calloc'd: make the pages ours before measuring
out[:: 4096] = bytes(len(out[:: 4096]))
with weightinit.Client(sys.argv[1]) as client:
    client.raw((4, 4), seed=1, name="w")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    client.fetch((size // 4,), fan_in=1, fan_out=1, seed=1, name="w", distribution="normal", out=out)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024)
"""


@pytest.mark.parametrize("size", [2**28, pytest.param(2**31, marks=pytest.mark.slow)])
def test_a_tensor_needs_less_than_64_mib_beyond_itself(service_url, size):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, service_url, str(size)],
        capture_output=True,
        text=True,
        check=True,
        timeout=280,
    )
    assert int(done.stdout) < 64 * 2**20
