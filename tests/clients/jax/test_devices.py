"""Arrays on one device, and on four simulated ones in a separate process."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding
from weightinit.jax import sharded

from tests.clients.drawing import draw

TESTS = Path(__file__).with_name("test_sharding.py")


def test_an_array_on_one_device(client):
    array = sharded((8, 4), SingleDeviceSharding(jax.devices()[0]), seed=42, name="k", client=client)
    np.testing.assert_array_equal(array, draw(8, 4, name="k"))


def test_arrays_over_four_devices(service_url):
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=4"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS],
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, "TESTED_SERVICE": service_url},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
