"""On Keras' JAX backend each device fetches its own part of a variable."""

import os
import subprocess
import sys

import pytest

CODE = """
import keras, jax, numpy as np
from keras.distribution import DeviceMesh, LayoutMap, ModelParallel
from tests.clients.drawing import CountingClient, draw
from weightinit import Client
from weightinit.keras import Initializer, initialize

client = CountingClient(Client())
mesh = DeviceMesh((4,), ["model"], jax.devices())
layouts = LayoutMap(mesh)
layouts[".*kernel"] = (None, "model")
made = Initializer(seed=42, name="k", client=client)
with ModelParallel(layout_map=layouts).scope():
    layer = keras.layers.Dense(8, kernel_initializer=made)
    layer.build((None, 4))
print([box[1].indices(8)[:2] for _, box in client.asked])
print([shard.data.shape for shard in layer.kernel.value.addressable_shards])
print(np.array_equal(layer.get_weights()[0], draw(4, 8, name="k")))
"""


@pytest.fixture(scope="module")
def lines(service_url):
    """What a process with four devices says."""
    devices = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, **devices, "WEIGHTINIT_URL": service_url},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_each_device_fetches_its_own_part(lines):
    assert lines[0] == "[(0, 2), (2, 4), (4, 6), (6, 8)]"


def test_each_device_holds_its_own_part(lines):
    assert lines[1] == "[(4, 2), (4, 2), (4, 2), (4, 2)]"


def test_the_parts_make_the_whole(lines):
    assert lines[2] == "True"
