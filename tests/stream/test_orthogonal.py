"""Orthogonal tensors: orthonormal, Haar-distributed, and the same bits whichever way they are computed."""

import hashlib
import math
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from service.core.slices import compute_shape, select_all
from service.stream import derive_key
from service.stream.matrices import Engine
from service.stream.orthogonal import OrthogonalTensor, estimate_cost, estimate_memory
from service.stream.reference import draw_words, transform
from service.stream.reference_orthogonal import draw_tensor
from tests.stream.drawing import DTYPES
from tests.stream.test_kernels import FUSED, MACHINE, run_python

FALSE_ALARM = 1e-9
COUNT = 20000  # matrices of a statistical test


def make_tensor(shape, layout="OI", slices=None, dtype="float64", seed=42, **values):
    key = derive_key(seed, "orthogonal")
    return OrthogonalTensor(key, shape, layout, slices or select_all(shape), dtype, **values)


def draw(*arguments, engine=None, **values):
    """Return an orthogonal tensor or a slice of it, as an array of its dtype in memory order."""
    tensor = make_tensor(*arguments, **values)
    drawn = tensor.read(engine) if engine else tensor.read()
    return np.frombuffer(drawn, DTYPES[tensor.dtype]).reshape(compute_shape(tensor.slices))


def assert_orthonormal(matrix, gain=1.0):
    """Hold the shorter side to be orthonormal, to the accuracy of float64."""
    products = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    assert np.abs(products - gain * gain * np.eye(len(products))).max() < 1e-13 * gain * gain


SHAPES = [
    (1, 1),
    (1, 9),
    (9, 1),
    (2, 2),
    (31, 33),
    (64, 64),
    (65, 40),
    (40, 97),
    (300, 290),
    (5, 1000),
    (1000, 70),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_shorter_side_is_orthonormal(shape):
    assert_orthonormal(draw(shape))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_kernels_compute_the_bits_of_the_reference(shape):
    tensor = make_tensor(shape)
    assert tensor.read() == draw_tensor(tensor).tobytes()


def test_gain_multiplies_the_matrix():
    assert_orthonormal(draw((30, 40), gain=3.0), 3.0)


def test_the_first_column_is_the_normalized_draws():
    """QR with a positive diagonal (Mezzadri 2007) divides the first column by its norm."""
    key = derive_key(42, "orthogonal")
    draws = transform(draw_words(key, np.arange(0, 70 * 50, 50, dtype=np.uint64)), "normal")
    np.testing.assert_allclose(draw((70, 50))[:, 0], draws / np.linalg.norm(draws), atol=1e-14)


class TestSameMatrix:
    @pytest.mark.parametrize("shape", [(70, 50), (50, 70), (300, 280)])
    def test_a_layout_is_the_transpose_of_another(self, shape):
        assert np.array_equal(draw(shape), draw(shape[::-1], "IO").T)

    def test_space_axes_are_inputs_as_torch_flattens_them(self):
        kernel = draw((20, 6, 3, 2), "OIHW")
        assert_orthonormal(kernel.reshape(20, -1))
        assert np.array_equal(draw((3, 2, 6, 20), "HWIO"), kernel.transpose(2, 3, 1, 0))

    def test_a_volume_has_five_axes(self):
        assert_orthonormal(draw((7, 2, 3, 2, 2), "OIDHW").reshape(7, -1))

    def test_stacked_kernels_are_different_orthogonal_matrices(self):
        stack = draw((5, 9, 7), "GIO")
        for matrix in stack:
            assert_orthonormal(matrix)
        assert len({matrix.tobytes() for matrix in stack}) == 5

    def test_large_stacked_kernels_are_those_of_the_reference(self):
        tensor = make_tensor((2, 300, 260), "BOI", (slice(1, 2), slice(0, 100), slice(0, 260)))
        assert tensor.read() == draw_tensor(tensor).tobytes()

    @pytest.mark.parametrize("dtype", DTYPES)
    def test_every_dtype_rounds_the_same_matrix(self, dtype):
        exact = draw((40, 50), gain=0.7)
        singles = exact if dtype == "float64" else exact.astype(np.float32)
        assert np.array_equal(draw((40, 50), gain=0.7, dtype=dtype), singles.astype(DTYPES[dtype]))

    @pytest.mark.parametrize(
        ("shape", "layout"),
        [((300, 330), "OI"), ((330, 300), "IO"), ((330, 300), "OI"), ((2, 300, 310), "GIO")],
    )
    def test_a_slice_equals_the_part_of_the_whole(self, shape, layout):
        slices = (slice(1, 2), slice(100, 299), slice(77, 203))[-len(shape) :]
        assert np.array_equal(draw(shape, layout, slices, engine=Engine()), draw(shape, layout)[slices])

    @given(data=st.data())
    @settings(deadline=None, max_examples=60)
    def test_any_slice_of_any_layout_is_that_of_the_reference(self, data):
        layout = data.draw(st.text("BGOIDHW", min_size=2, max_size=5))
        shape = tuple(data.draw(st.integers(1, 7)) for _ in layout)
        starts = [data.draw(st.integers(0, length - 1)) for length in shape]
        slices = tuple(
            slice(start, data.draw(st.integers(start + 1, length)))
            for start, length in zip(starts, shape, strict=True)
        )
        tensor = make_tensor(
            shape, layout, slices, center=data.draw(st.sampled_from([None, "same", "torch"]))
        )
        assert tensor.read() == draw_tensor(tensor).tobytes()

    def test_any_range_of_elements(self):
        tensor, whole = (
            make_tensor((290, 300), "IO", dtype="float16"),
            draw((290, 300), "IO", dtype="float16").ravel(),
        )
        for start, count in ((0, 1), (299, 3), (40001, 41000), (86990, 10)):
            out = np.empty(2 * count, np.uint8)
            tensor.bind()(start, out)
            assert out.tobytes() == whole[start : start + count].tobytes()


#: SHA-256, first 16 digits, of what reference/weightinit.c wrote, by gcc on x86-64.
GOLDEN = (
    ({"shape": (3, 2), "layout": "OI"}, "823c7c0dfb65097d"),
    ({"shape": (150, 70), "layout": "IO", "dtype": "float32"}, "8ae3322c76c56565"),
    ({"shape": (70, 150), "layout": "IO", "dtype": "bfloat16", "gain": 2.0**0.5}, "faa176497081b35f"),
    ({"shape": (3, 3, 10, 12), "layout": "HWIO", "center": "same"}, "76be437872bc8618"),
)


@pytest.mark.parametrize(("values", "digest"), GOLDEN)
def test_the_bytes_of_this_version_never_change(values, digest):
    assert hashlib.sha256(make_tensor(**values).read()).hexdigest()[:16] == digest


class TestPageAlone:
    """reference/weightinit.c follows docs/stream.md, and shares no code with the service."""

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize(
        ("shape", "layout"),
        [((1, 1), "OI"), ((70, 50), "OI"), ((50, 70), "IO"), ((3, 2, 6, 40), "HWIO"), ((3, 33, 34), "GOI")],
    )
    def test_it_gives_orthogonal_kernels(self, independent, shape, layout, dtype):
        spec = {"shape": shape, "layout": layout, "scheme": "orthogonal", "gain": 1.3, "dtype": dtype}
        drawn = independent.draw(spec | {"seed": 42, "name": "orthogonal"})
        assert drawn == make_tensor(shape, layout, dtype=dtype, gain=1.3).read()

    @pytest.mark.parametrize("center", ["same", "torch"])
    def test_it_gives_delta_orthogonal_kernels(self, independent, center):
        spec = {"shape": (4, 3, 20, 40), "layout": "HWIO", "scheme": "delta_orthogonal", "center": center}
        drawn = independent.draw(spec | {"seed": 42, "name": "orthogonal"})
        assert drawn == make_tensor((4, 3, 20, 40), "HWIO", dtype="float32", center=center).read()

    def test_it_gives_a_slice(self, independent):
        spec = {"shape": (60, 90), "layout": "OI", "scheme": "orthogonal", "seed": 42, "name": "orthogonal"}
        slices = slice(33, 60), slice(5, 80)
        drawn = independent.draw(spec, [(part.start, part.stop) for part in slices])
        assert drawn == make_tensor((60, 90), slices=slices, dtype="float32").read()


class TestEngine:
    @pytest.mark.parametrize("threads", [1, 2, 5])
    def test_any_number_of_threads_computes_the_same_bits(self, threads):
        engine = Engine(threads)
        assert draw((300, 320), engine=engine).tobytes() == draw((300, 320)).tobytes()
        engine.close()

    def test_concurrent_requests_compute_a_matrix_once(self, monkeypatch):
        from service.stream import matrices

        finished, finish = [], matrices.finish_panel
        monkeypatch.setattr(
            matrices, "finish_panel", lambda *arguments: (finished.append(arguments[1]), finish(*arguments))
        )
        engine, tensor = Engine(2), make_tensor((400, 410))
        with ThreadPoolExecutor(4) as pool:
            drawn = set(pool.map(lambda _: tensor.read(engine), range(4)))
        assert (len(drawn), sorted(finished)) == (1, list(range(7)))

    def test_matrices_beyond_the_limit_are_forgotten_and_computed_again(self):
        engine = Engine(cache_bytes=2 * 8 * 300 * 300)
        first = [draw((300, 300), seed=seed, engine=engine).tobytes() for seed in range(4)]
        assert len(engine._kept) == 2
        assert [draw((300, 300), seed=seed, engine=engine).tobytes() for seed in range(4)] == first

    def test_a_slice_of_few_columns_computes_only_the_panels_up_to_its_own(self):
        engine = Engine()
        draw((400, 410), slices=(slice(70, 80), slice(0, 410)), engine=engine)
        (kept,) = engine._kept.values()
        assert set(kept._panels) == {1}
        assert max(kept._made) == 3

    @pytest.mark.slow
    def test_other_processors_compute_the_same_bits(self, tmp_path):
        code = "from tests.stream.test_orthogonal import print_digest; print_digest()"
        digests = {
            run_python(["-c", code], {"NUMBA_CACHE_DIR": str(tmp_path / name), **environment})
            for name, environment in PROCESSORS.items()
        }
        assert len(digests) == 1


#: Vectors of two doubles and, on x86-64, of four; and whatever this processor has.
PROCESSORS = {"generic": {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, "host": {}}
if MACHINE == "x86_64":
    PROCESSORS["haswell"] = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma"}


def print_digest():
    """Print the digest of matrices that cover every kernel."""
    digest = hashlib.sha256()
    for shape in ((300, 310), (310, 300), (90, 50), (3, 3)):
        digest.update(make_tensor(shape).read())
    print(digest.hexdigest())


class TestDelta:
    @pytest.mark.parametrize(("center", "at"), [("same", (1, 1)), ("torch", (1, 2))])
    def test_the_matrix_is_at_the_centre_and_zeros_elsewhere(self, center, at):
        kernel = draw((3, 4, 6, 9), "HWIO", center=center)
        assert_orthonormal(kernel[at])
        assert np.count_nonzero(kernel) == 54

    def test_a_convolution_preserves_the_norm(self):
        """Xiao et al. (2018), section 2.2: circular convolution by it is orthogonal."""
        kernel, signal = draw((3, 6, 9), "WIO", center="same"), np.random.default_rng(1).normal(size=(50, 6))
        out = sum(np.roll(signal, shift - 1, axis=0) @ kernel[shift] for shift in range(3))
        assert math.isclose(np.linalg.norm(out), np.linalg.norm(signal), rel_tol=1e-13)

    def test_the_bits_are_those_of_the_reference(self):
        tensor = make_tensor((3, 3, 260, 270), "HWIO", center="same")
        assert tensor.read() == draw_tensor(tensor).tobytes()


@cache
def draw_stack():
    """Return matrices of 5 by 5, for statistics."""
    return draw((COUNT, 5, 5), "GOI")


@cache
def measure_phases():
    """Return the eigenphases in [0, π], ascending, of ours and SciPy's 40 × 40 matrices of determinant 1."""
    others = stats.ortho_group.rvs(40, 1500, random_state=1)
    return [
        np.sort(np.angle(np.linalg.eigvals(matrices[np.linalg.det(matrices) > 0])), axis=1)[:, 20:]
        for matrices in (draw((1500, 40, 40), "GOI"), others)
    ]


class TestHaar:
    """Statistics of a stack of matrices against theory, each with a false-alarm rate of 1e-9."""

    @pytest.mark.parametrize(("power", "moment"), [(1, 0), (2, 1), (3, 0), (4, 3)])
    def test_the_trace_has_the_moments_of_a_normal(self, power, moment):
        """Diaconis & Shahshahani (1994), theorem 4: exactly those of N(0, 1) while the power is ≤ n / 2.

        For n = 5 also those up to 4: Pastur & Vasilchuk (2004) have them equal for powers ≤ n - 1.
        """
        assert_mean(np.trace(draw_stack(), axis1=1, axis2=2) ** power, moment)

    @pytest.mark.parametrize(("power", "moment"), [(2, 1), (3, 0)])
    def test_traces_of_powers_have_their_expectations(self, power, moment):
        """Diaconis & Shahshahani (1994): E tr Q^j is 1 for even j and 0 for odd j."""
        assert_mean(np.trace(np.linalg.matrix_power(draw_stack(), power), axis1=1, axis2=2), moment)

    def test_entries_have_the_moments_of_a_point_on_the_sphere(self):
        for place in ((0, 0), (4, 4), (0, 4), (4, 0), (2, 3)):
            entry = draw_stack()[:, *place]
            assert_mean(entry, 0)
            assert_mean(entry**2, 1 / 5)
            assert_mean(entry**4, 3 / (5 * 7))

    def test_a_squared_entry_has_the_beta_distribution(self):
        for place in ((0, 0), (4, 4), (1, 3)):
            beta = stats.beta(1 / 2, 4 / 2)
            assert stats.kstest(draw_stack()[:, *place] ** 2, beta.cdf).pvalue > FALSE_ALARM

    def test_the_determinant_has_either_sign_equally_often(self):
        positive = int((np.linalg.det(draw_stack()) > 0).sum())
        assert stats.binomtest(positive, COUNT).pvalue > FALSE_ALARM

    def test_traces_are_distributed_as_those_of_scipy(self):
        others = stats.ortho_group.rvs(5, COUNT, random_state=1)
        ours, theirs = (np.trace(m, axis1=1, axis2=2) for m in (draw_stack(), others))
        assert stats.ks_2samp(ours, theirs).pvalue > FALSE_ALARM

    def test_a_random_eigenphase_is_distributed_as_those_of_scipy(self):
        others = stats.ortho_group.rvs(5, COUNT, random_state=1)
        ours, theirs = (np.angle(np.linalg.eigvals(m)).max(axis=1) for m in (draw_stack(), others))
        assert stats.ks_2samp(np.round(ours, 9), np.round(theirs, 9)).pvalue > FALSE_ALARM

    @pytest.mark.parametrize("place", [0, 5, 10, 16])
    def test_eigenphases_of_larger_matrices_are_spaced_as_those_of_scipy(self, place):
        """One spacing of each matrix, because those of a matrix depend on each other."""
        ours, theirs = (np.diff(phases, prepend=0)[:, place] for phases in measure_phases())
        assert stats.ks_2samp(ours, theirs).pvalue > FALSE_ALARM

    def test_eigenphases_repel_each_other(self):
        """The variance of their number in an arc grows as a logarithm of n, that of independent ones as n.

        Diaconis & Evans (2001), Trans. AMS 353; 10 of 40 lie in a quarter of the circle: here their variance
        would be 5 for independent pairs.
        """
        ours, theirs = ((phases < np.pi / 2).sum(axis=1) for phases in measure_phases())
        assert ours.var() < 1 / 2
        assert_mean(ours - theirs.mean(), 0)

    def test_a_rotation_of_two_axes_has_a_uniform_angle(self):
        made = draw((COUNT, 2, 2), "GOI", seed=7)
        angles = np.arctan2(made[:, 1, 0], made[:, 0, 0])
        assert stats.kstest(angles, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > FALSE_ALARM

    def test_one_by_one_is_plus_or_minus_the_gain_with_equal_probability(self):
        made = draw((COUNT, 1, 1), "GOI", gain=2.5)
        assert set(made.ravel().tolist()) == {-2.5, 2.5}
        assert stats.binomtest(int((made > 0).sum()), COUNT).pvalue > FALSE_ALARM


def assert_mean(values, expected):
    """Hold the mean of independent values to its expectation, by the central limit theorem."""
    error = values.std() / math.sqrt(values.size)
    assert abs(values.mean() - expected) < stats.norm.isf(FALSE_ALARM / 2) * error


class TestEstimates:
    def test_a_square_takes_four_thirds_of_its_cube(self):
        whole = estimate_cost((4096, 4096), "OI", select_all((4096, 4096)))
        assert whole == pytest.approx(4 / 3 * 4096**3, rel=0.05)

    def test_a_tall_matrix_takes_twice_its_rows_by_columns_squared(self):
        whole = estimate_cost((16384, 512), "OI", select_all((16384, 512)))
        assert whole == pytest.approx(2 * 16384 * 512**2, rel=0.35)

    def test_a_slice_of_outputs_costs_its_share(self):
        shape = (4096, 4096)
        halves = [
            estimate_cost(shape, "OI", (part, slice(0, 4096))) for part in (slice(0, 2048), slice(2048, 4096))
        ]
        assert sum(halves) == pytest.approx(estimate_cost(shape, "OI", select_all(shape)), rel=0.02)

    def test_a_huge_matrix_is_estimated_without_counting_its_columns(self):
        assert estimate_cost((2**31, 2**31), "OI", select_all((2**31, 2**31))) > 10**15
        assert estimate_memory((2**31, 2**31), "OI") > 2**60

    def test_stacked_kernels_cost_as_many_matrices(self):
        one = estimate_cost((300, 300), "OI", select_all((300, 300)))
        assert estimate_cost((6, 300, 300), "GOI", select_all((6, 300, 300))) == 6 * one


def test_other_slices_dtypes_and_gains_are_other_tensors():
    tensor = make_tensor((30, 40))
    others = [
        replace(tensor, slices=(slice(0, 29), slice(0, 40))),
        replace(tensor, dtype="float32"),
        replace(tensor, gain=2.0),
        replace(tensor, shape=(40, 30), slices=select_all((40, 30))),
        replace(tensor, key=derive_key(43, "orthogonal")),
    ]
    assert len({other.identity for other in (tensor, *others)}) == 6


# As in test_kernels.py: the control shows that the compiler would use FMA if it were allowed to.
PRINT_ASSEMBLY = """
import numba
from service.stream.kernels import reflectors
control = numba.njit("f8(f8, f8, f8)", fastmath=True)(lambda a, b, c: a * b + c)
kernels = [*reflectors.make_block.inspect_asm().values(), *reflectors.finish_panel.inspect_asm().values()]
print(*control.inspect_asm().values(), "-- kernel --", *kernels, sep="\\n")
"""


@pytest.mark.slow
@pytest.mark.skipif(MACHINE not in FUSED, reason="mnemonics of another processor")
def test_kernels_never_fuse_a_multiply_with_an_add(tmp_path):
    pattern, environment = FUSED[MACHINE]
    printed = run_python(["-c", PRINT_ASSEMBLY], environment | {"NUMBA_CACHE_DIR": str(tmp_path)})
    control, kernel = printed.split("-- kernel --")
    assert re.search(pattern, control)
    assert not re.search(pattern, kernel)
    assert len(re.findall(r"\b(vmulpd|fmul)\b", kernel)) > 10
