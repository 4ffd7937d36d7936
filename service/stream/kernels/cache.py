"""Where compiled kernels are kept: a folder for each state of these sources.

Numba looks for changes only in the file of the function it caches, so a kernel that another one calls from
another file would go on in its old form. The setting is Numba's own and holds for the whole process, which is
the service's alone.
"""

import hashlib
from pathlib import Path

from numba import config

HERE = Path(__file__).parent


def digest_sources() -> str:
    """Return a digest of every source file of the kernels."""
    sources = b"".join(path.read_bytes() for path in sorted(HERE.glob("*.py")))
    return hashlib.sha256(sources).hexdigest()[:16]


config.CACHE_DIR = str(Path(config.CACHE_DIR or HERE / "__pycache__") / digest_sources())
