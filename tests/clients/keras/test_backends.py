"""The Keras tests pass on each installed backend, in a separate process."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import pytest

HERE = Path(__file__).parent
INSTALLED = {name for name in ("jax", "tensorflow", "torch") if find_spec(name)}
OTHERS = sorted(INSTALLED - {keras.backend.backend()})


@pytest.mark.slow
@pytest.mark.skipif("TESTED_SERVICE" in os.environ, reason="these tests run inside of others already")
@pytest.mark.timeout(900)  # all of this folder, which takes minutes
@pytest.mark.parametrize("backend", OTHERS)
def test_the_other_backend_passes(backend, service_url):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE],
        env={**os.environ, "KERAS_BACKEND": backend, "TESTED_SERVICE": service_url},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_adapter_imports_no_framework_but_keras():
    # Keras imports of itself what it finds installed.
    code = (
        "import sys, keras; old = set(sys.modules); import weightinit.keras; print(*set(sys.modules) - old)"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    assert not {"flax", "jax", "tensorflow", "torch"} & set(done.stdout.split())
