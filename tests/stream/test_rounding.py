"""Rounding: every dtype is a rounding of one tensor, and no value rounds onto the end of its interval."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from service.core import DTYPES as FORMATS
from service.stream.rounding import round_below
from tests.stream.drawing import DISTRIBUTIONS, DTYPES, convert_words, draw, make_tensor

# The ends of both intervals, where uniform and truncated normal are largest and smallest.
EXTREMES = np.array(
    [end + step & 0xFFFFFFFF for end in (0, 2**31) for step in (-3, -2, -1, 0, 1, 2)], dtype=np.uint32
)
# Scales whose weights are normal numbers in every dtype, subnormal in float16, and subnormal in the others.
SPREADS = {"normal numbers": 1.0, "float16 subnormal": 1e-12, "float32 subnormal": 1e-82}


@pytest.fixture(scope="module", params=[(d, s) for d in DISTRIBUTIONS for s in SPREADS], ids=", ".join)
def drawn(request):
    """One tensor in every dtype that can hold its spread: its values, and the bound that they are held at."""
    distribution, spread = request.param
    spec = {"shape": (2**20,), "layout": "O", "fan_in": 1, "fan_out": 1, "distribution": distribution}
    spec |= {"scheme": "variance_scaling", "scale": SPREADS[spread]}
    able = [dtype for dtype in DTYPES if math.sqrt(SPREADS[spread]) >= FORMATS[dtype].smallest_subnormal]
    return {dtype: (draw(**spec, dtype=dtype), make_tensor(**spec, dtype=dtype).bound) for dtype in able}


def hold(values, bound):
    """Hold values at a bound, itself one of their dtype; signs of zeros included."""
    bound = values.dtype.type(bound)
    return np.copysign(np.minimum(np.abs(values), bound), values)


class TestDtypes:
    def test_float32_is_float64_rounded_once(self, drawn):
        (singles, bound), (doubles, _) = drawn["float32"], drawn["float64"]
        assert singles.tobytes() == hold(doubles.astype(np.float32), bound).tobytes()

    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_16_bits_are_float32_rounded_to_even(self, drawn, dtype):
        singles, _ = drawn["float32"]
        halves, bound = drawn.get(dtype, (None, None))
        if halves is None:
            assert singles.std() < FORMATS[dtype].smallest_subnormal
        else:
            assert halves.tobytes() == hold(singles.astype(DTYPES[dtype]), bound).tobytes()

    def test_bytes_are_little_endian(self):
        words = np.array([2**31], np.uint32)  # uniform: 2^-32
        for dtype, encoded in [
            ("float64", "000000000000f03d"),
            ("float32", "0000802f"),
            ("bfloat16", "802f"),
        ]:
            assert convert_words(words, "uniform", dtype, 1.0, 1.0).tobytes().hex() == encoded
        assert convert_words(words, "uniform", "float16", 2.0**32, 1.0).tobytes().hex() == "003c"


def sizes(dtype):
    """Positive numbers in the range of a dtype: its own, powers of two, neighbours of both, and any."""
    row = FORMATS[dtype]
    low, high = row.smallest_subnormal, row.max
    powers = st.integers(math.frexp(low)[1], math.frexp(high)[1] - 1).map(lambda n: math.ldexp(1.0, n))
    own = st.floats(low, high).map(lambda value: float(DTYPES[dtype].type(value))).filter(math.isfinite)
    near = (own | powers).flatmap(
        lambda v: st.sampled_from([v, math.nextafter(v, 0), math.nextafter(v, high)])
    )
    return (near | st.floats(low, high)).filter(lambda value: low <= value <= high)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_round_below_is_the_last_number_before(dtype, data):
    value = data.draw(sizes(dtype))
    kind = DTYPES[dtype].type
    below = round_below(value, dtype)
    assert float(kind(below)) == below < value
    assert float(np.nextafter(kind(below), kind(np.inf))) >= value


class TestBounds:
    """Whatever the spread and the draw: strictly inside the open interval, in every dtype."""

    @staticmethod
    def make(distribution, dtype, scale):
        values = {"scheme": "variance_scaling", "scale": scale, "fan_in": 3, "fan_out": 3}
        return make_tensor(shape=(1,), layout="O", distribution=distribution, dtype=dtype, **values)

    @staticmethod
    def find_end(tensor):
        if tensor.distribution == "uniform":
            return tensor.factor
        return 2 / 0.87962566103423978 * tensor.factor

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("distribution", ["uniform", "truncated_normal"])
    @given(
        exponent=st.integers(-130, 14),
        part=st.just(1.0) | st.floats(1, 4),
        words=st.lists(st.integers(0, 2**32 - 1), max_size=16),
    )
    @example(exponent=0, part=1.0, words=[])
    @example(exponent=-24, part=1.0, words=[])
    @settings(deadline=None)
    def test_no_draw_reaches_the_end(self, distribution, dtype, exponent, part, words):
        # With fan_in 3 the limit is √scale, so that it is a power of two where part is 1.
        scale = math.ldexp(part, 2 * exponent)
        assume(math.sqrt(scale / 3) >= FORMATS[dtype].smallest_subnormal)
        tensor = self.make(distribution, dtype, scale)
        drawn_words = np.concatenate([EXTREMES, np.array(words, np.uint32)])
        drawn = convert_words(drawn_words, distribution, dtype, tensor.factor, tensor.bound).astype(
            np.float64
        )
        end = self.find_end(tensor)
        assert np.abs(drawn).max() < end
        assert np.abs(drawn).max() <= tensor.bound < end

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_a_limit_that_is_a_power_of_two_is_met(self, dtype):
        for exponent in range(-12, 15):
            assert self.make("uniform", dtype, 4.0**exponent).factor == 2.0**exponent

    @pytest.mark.parametrize("distribution", ["uniform", "truncated_normal"])
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
    def test_the_largest_number_inside_is_drawn(self, distribution, dtype):
        tensor = self.make(distribution, dtype, 1.0)
        drawn = convert_words(EXTREMES, distribution, dtype, tensor.factor, tensor.bound).astype(np.float64)
        assert np.abs(drawn).max() == tensor.bound

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("distribution", DISTRIBUTIONS)
    @given(words=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=64))
    @settings(deadline=None)
    def test_every_value_is_as_likely_as_its_negative(self, distribution, dtype, words):
        tensor = self.make(distribution, dtype, 1.0)
        mirror = 0xFFFFFFFF if distribution == "uniform" else 0x80000000
        words = np.array(words, np.uint32)
        one, other = (
            convert_words(w, distribution, dtype, tensor.factor, tensor.bound)
            for w in (words, words ^ np.uint32(mirror))
        )
        assert one.tobytes() == (-other).tobytes()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_the_largest_normal_is_finite(self, dtype):
        largest_scale = 3 * (FORMATS[dtype].max / 6.5) ** 2 if dtype != "float64" else 1e300
        tensor = self.make("normal", dtype, largest_scale)
        drawn = convert_words(EXTREMES, "normal", dtype, tensor.factor, tensor.bound)
        assert np.isfinite(drawn.astype(np.float64)).all()
