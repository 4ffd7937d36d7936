"""Llama-3-8B: 291 tensors in bfloat16, 16 GB, which nobody has to hold."""

import hashlib
import random
import threading
from urllib.parse import quote

import httpx
import pytest

from tests.api.drawing import RAW
from tests.api.published import publish, read_header
from tests.servers import run_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# The release's config.json: hidden_size, intermediate_size, vocab_size, layers, heads and their size.
HIDDEN, INTERMEDIATE, VOCABULARY, LAYERS, KEYS = 4096, 14336, 128256, 32, 8 * 128
BLOCK = {
    "self_attn.q_proj.weight": (HIDDEN, HIDDEN),
    "self_attn.k_proj.weight": (KEYS, HIDDEN),
    "self_attn.v_proj.weight": (KEYS, HIDDEN),
    "self_attn.o_proj.weight": (HIDDEN, HIDDEN),
    "mlp.gate_proj.weight": (INTERMEDIATE, HIDDEN),
    "mlp.up_proj.weight": (INTERMEDIATE, HIDDEN),
    "mlp.down_proj.weight": (HIDDEN, INTERMEDIATE),
    "input_layernorm.weight": (HIDDEN,),
    "post_attention_layernorm.weight": (HIDDEN,),
}
SHAPES = {
    "model.embed_tokens.weight": (VOCABULARY, HIDDEN),
    "lm_head.weight": (VOCABULARY, HIDDEN),
    "model.norm.weight": (HIDDEN,),
    **{f"model.layers.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in BLOCK.items()},
}
SPREAD = {
    "layout": "torch",
    "scheme": "variance_scaling",
    "scale": 0.0004,
    "fan_in": 1,
    "fan_out": 1,
    "distribution": "normal",
}
LLAMA = {
    "seed": 42,
    "defaults": {"dtype": "bfloat16"},
    "tensors": [
        {"name": name, "shape": shape, **({"constant": 1} if len(shape) == 1 else SPREAD)}
        for name, shape in SHAPES.items()
    ],
}


class Watch(threading.Thread):
    """Measures the most memory that a server holds until it is stopped."""

    def __init__(self, server):
        super().__init__()
        self.most, self._server, self._over = 0, server, threading.Event()

    def run(self):
        while not self._over.wait(0.05):
            self.most = max(self.most, self._server.measure_memory())

    def stop(self):
        self._over.set()
        self.join()
        return self.most


@pytest.fixture(scope="module")
def server():
    with run_server() as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def url(client):
    return publish(client, LLAMA)


def test_the_model_is_the_one_that_was_released(client):
    body = client.post("/v1/models", json=LLAMA).json()
    # 8.03 billion parameters: the sum of the shapes in the release's model.safetensors.index.json.
    assert (body["tensors"], body["elements"], body["bytes"]) == (291, 8_030_261_248, 16_060_522_496)


def test_sixteen_gigabytes_come_as_one_stream_while_the_servers_memory_stays_flat(
    server, client, url, capsys
):
    client.get(f"{url}/weights", headers={"Range": "bytes=0-10000000"})
    before, watch, digest, length = server.measure_memory(), Watch(server), hashlib.sha256(), 0
    watch.start()
    with client.stream("GET", f"{url}/weights") as response:
        announced = int(response.headers["Content-Length"])
        for chunk in response.iter_raw():
            digest.update(chunk)
            length += len(chunk)
    grown = watch.stop() - before
    with capsys.disabled():
        print(f"\n{length} bytes, SHA-256 {digest.hexdigest()}, server memory +{grown / 2**20:.1f} MiB")
    assert length == announced
    assert grown < 64 * 2**20


def test_any_tensor_is_what_its_spec_has_alone(client, url):
    source = random.Random(7)
    for name in source.sample([name for name, shape in SHAPES.items() if len(shape) == 2], 5):
        row = source.randrange(SHAPES[name][0] - 8)
        params = {"slice": f"{row}:{row + 8}"}
        spec = {
            **SPREAD,
            "dtype": "bfloat16",
            "seed": 42,
            "name": name,
            "shape": "{},{}".format(*SHAPES[name]),
        }
        ours = client.get(f"{url}/weights/{quote(name)}", params=params, headers=RAW)
        assert ours.content == client.get("/v1/weights", params=spec | params, headers=RAW).content


def test_random_ranges_are_what_the_tensors_have(client, url):
    source = random.Random(11)
    head = client.get(f"{url}/weights", headers={"Range": "bytes=0-99999"}).content
    header, start = read_header(head)
    del header["__metadata__"]
    for name, row in source.sample(sorted(header.items()), 20):
        first, last = row["data_offsets"]
        at = source.randrange(last - first)
        size = min(last - first - at, 100_001)
        inside = {**RAW, "Range": f"bytes={at}-{at + size - 1}"}
        of_file = {"Range": f"bytes={start + first + at}-{start + first + at + size - 1}"}
        tensor = client.get(f"{url}/weights/{quote(name)}", headers=inside)
        assert client.get(f"{url}/weights", headers=of_file).content == tensor.content
        assert len(tensor.content) == size
