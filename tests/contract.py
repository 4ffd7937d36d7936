"""The contract between service and client: tests/fixtures/contract.json, which the tests of both read."""

import json
from pathlib import Path

CONTRACT = json.loads((Path(__file__).parent / "fixtures" / "contract.json").read_text("utf-8"))
LIMITS = CONTRACT["limits"]
MODELS = CONTRACT["models"]["rows"]
SHAPE = tuple(CONTRACT["slices"]["shape"])
