"""Golden vectors: how they were made, what they cover, and what they can tell apart."""

import hashlib
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from service.core import LayerSpec, resolve_parameters
from service.stream import reference, selfcheck
from service.stream.sources.reference import DRAWS, draw_spec
from tests.stream.drawing import DISTRIBUTIONS, DTYPES, make_tensor
from tests.stream.scripts import load_script

DIGESTS = json.loads((Path(__file__).parents[1] / "golden" / "digests.json").read_text("utf-8"))
KINDS = list(itertools.product(DISTRIBUTIONS, DTYPES))


def check_reference():
    """Tell whether the reference draws every golden vector."""
    for case in selfcheck.load_cases():
        spec = LayerSpec.parse(case["spec"])
        drawn = draw_spec(spec, resolve_parameters(spec), tuple(slice(*cut) for cut in case["box"]))
        if not selfcheck.is_drawn(case, drawn.tobytes()):
            return False
    return True


def draw_lanes_reversed(draw_words):
    return lambda key, positions: draw_words(key, positions ^ np.uint64(3 << 10))


def draw_interleaved(draw_words):
    """Lane n mod 4 of block n // 4, as other generators do."""

    def draw(key, positions):
        block, lane = positions >> np.uint64(2), positions & np.uint64(3)
        tile, within = block >> np.uint64(10), block & np.uint64(1023)
        return draw_words(key, (tile << np.uint64(12)) | (lane << np.uint64(10)) | within)

    return draw


def lose_high_block(draw_words):
    return lambda key, positions: draw_words(key, positions & np.uint64(2**34 - 1))


def count_rounds(count):
    def mutate(_):
        source = Path(reference.__file__).read_text("utf-8")
        changed = source.replace("for step in range(10)", f"for step in range({count})")
        assert changed != source
        scope = {}
        exec(compile(changed, reference.__file__, "exec"), scope)
        return scope["philox4x32"]

    return mutate


def multiply_add_fused(a, b, c):
    """a·b + c with the product kept whole, as a fused multiply-add has it (Dekker 1971)."""
    (a_high, a_low), (b_high, b_low) = (
        (high := (v * 134217729.0) - (v * 134217729.0 - v), v - high) for v in (a, b)
    )
    product = a * b
    lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    total = product + c
    part = total - product
    return total + (((product - (total - part)) + (c - part)) + lost)


def fuse_cubics(_):
    def transform_table(words, table):
        x = (words & np.uint32(0x7FFFFFFF)).astype(np.float64) + 0.5
        c0, c1, c2, c3 = table[(x.view(np.int64) >> 47) - (1022 << 5)].T
        magnitude = multiply_add_fused(x, multiply_add_fused(x, multiply_add_fused(x, c3, c2), c1), c0)
        return np.where(words >> np.uint32(31), -magnitude, magnitude)

    return transform_table


def expand_cubics(_):
    """The cubics by powers instead of Horner's rule."""

    def transform_table(words, table):
        x = (words & np.uint32(0x7FFFFFFF)).astype(np.float64) + 0.5
        c0, c1, c2, c3 = table[(x.view(np.int64) >> 47) - (1022 << 5)].T
        magnitude = c0 + c1 * x + c2 * x * x + c3 * x * x * x
        return np.where(words >> np.uint32(31), -magnitude, magnitude)

    return transform_table


def cut_off_halves(round_to):
    def rounded(values, dtype):
        if dtype != "bfloat16":
            return round_to(values, dtype)
        return (values.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)

    return rounded


def flush_subnormals(round_to):
    def rounded(values, dtype):
        smallest = {"float16": 2.0**-14}.get(dtype, 0.0)
        return round_to(np.where(np.abs(values) < smallest, np.copysign(0.0, values), values), dtype)

    return rounded


# What in service.stream.reference is replaced, and by what.
MUTATIONS = {
    "lanes in another order": ("draw_words", draw_lanes_reversed),
    "words interleaved": ("draw_words", draw_interleaved),
    "block number of 32 bits": ("draw_words", lose_high_block),
    "nine rounds": ("philox4x32", count_rounds(9)),
    "another multiplier": ("MULTIPLIERS", lambda m: (m[0], m[1] ^ np.uint64(2))),
    "multipliers swapped": ("MULTIPLIERS", lambda m: m[::-1]),
    "another key schedule": ("WEYL", lambda w: w[::-1]),
    "I before O": ("CANONICAL", lambda _: "BGIODHW"),
    "stacks innermost": ("CANONICAL", lambda _: "OIDHWBG"),
    "W before H": ("CANONICAL", lambda _: "BGOIDWH"),
    "D after H": ("CANONICAL", lambda _: "BGOIHDW"),
    "uniform half-open": ("transform_uniform", lambda _: lambda w: (2.0 * w - 2.0**32) / 2.0**32),
    "uniform mirrored": ("transform_uniform", lambda transform: lambda w: -transform(w)),
    "normal mirrored": ("transform_table", lambda transform: lambda w, table: -transform(w, table)),
    "tables swapped": ("load_tables", lambda load: lambda: load()[::-1]),
    "cubics with fused multiply-adds": ("transform_table", fuse_cubics),
    "cubics by powers": ("transform_table", expand_cubics),
    "bfloat16 cut off": ("round_to", cut_off_halves),
    "subnormals flushed": ("round_to", flush_subnormals),
    "no bound": ("compute_span", lambda span: lambda parameters: (span(parameters)[0], math.inf)),
    "factor in float32": (
        "compute_span",
        lambda span: lambda p: (np.float32(span(p)[0]).item(), span(p)[1]),
    ),
    "key with c2 and c3 swapped": (
        "derive_key",
        lambda derive: lambda *args: (found := derive(*args))._replace(c2=found.c3, c3=found.c2),
    ),
}


class TestGolden:
    def test_the_script_makes_the_same_bytes_again(self, tmp_path, monkeypatch):
        script = load_script("make_golden")
        monkeypatch.setattr(script, "PATH", tmp_path / "golden.json")
        script.main()
        assert (tmp_path / "golden.json").read_bytes() == selfcheck.PATH.read_bytes()

    def test_every_kind_of_tensor_is_there_near_and_far(self):
        near, far = set(), set()
        for case in selfcheck.load_cases():
            spec = LayerSpec.parse(case["spec"])
            slices = tuple(slice(*cut) for cut in case["box"])
            positions = reference.number_positions(spec.shape, spec.layout, slices)
            kind = (spec.distribution, spec.dtype, spec.layout)
            if positions.max() > 2**40:
                far.add(kind)
            elif positions.min() == 0:
                near.add(kind)
        layouts = {"IO", "OI", "WIO", "OIW", "HWIO", "OIHW", "DHWIO", "OIDHW", "GIO", "IBOO"}
        assert near >= set(itertools.product(DISTRIBUTIONS, DTYPES, layouts))
        assert far >= set(itertools.product(DISTRIBUTIONS, DTYPES, layouts))

    def test_every_source_is_there_in_every_dtype(self):
        specs = [LayerSpec.parse(case["spec"]) for case in selfcheck.load_cases()]
        found = {(spec.scheme, spec.dtype) for spec in specs}
        assert found >= set(itertools.product({"explicit", *DRAWS} - {"zeros", "ones"}, DTYPES))
        assert {spec.dtype for spec in specs if spec.lower is not None} == set(DTYPES)

    def test_the_file_says_how_it_was_made(self):
        golden = json.loads(selfcheck.PATH.read_text("utf-8"))
        assert golden["stream"] == 1
        assert "make_golden" in golden["origin"]

    def test_the_reference_draws_every_vector(self):
        assert check_reference()

    @pytest.mark.parametrize(("attribute", "mutate"), MUTATIONS.values(), ids=MUTATIONS)
    def test_the_vectors_see_a_mutation(self, attribute, mutate, monkeypatch):
        monkeypatch.setattr(reference, attribute, mutate(getattr(reference, attribute)))
        assert not check_reference()


@pytest.mark.parametrize(("distribution", "dtype"), KINDS)
class TestDigests:
    """The first 2^22 weights of each distribution and dtype, as tests/golden/digests.json has them."""

    def test_kernels(self, distribution, dtype):
        tensor = make_tensor(**DIGESTS["spec"], distribution=distribution, dtype=dtype)
        digest, out = hashlib.sha256(), np.empty(2**18 * tensor.itemsize, np.uint8)
        for start in range(0, 2**22, 2**18):
            tensor.fill(start, out)
            digest.update(out)
        assert digest.hexdigest() == DIGESTS["sha256"][distribution][dtype]

    def test_the_second_implementation(self, distribution, dtype, independent):
        spec = DIGESTS["spec"] | {"distribution": distribution, "dtype": dtype}
        drawn = independent.draw(spec | {"scheme": "he"})
        assert hashlib.sha256(drawn).hexdigest() == DIGESTS["sha256"][distribution][dtype]
