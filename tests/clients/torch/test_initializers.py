"""A single tensor gets the service's bytes in every dtype and layout, or a helpful error."""

import pytest
import torch
import weightinit.torch
from torch import nn
from weightinit import Client, ConnectionFailed, SpecRejected, WeightinitError
from weightinit.torch import TensorRejected, init_

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SHAPES = {
    "OI": (6, 4),
    "OIW": (6, 4, 3),
    "OIHW": (6, 4, 3, 2),
    "OIDHW": (6, 4, 3, 2, 2),
    "IOHW": (4, 6, 3, 2),
    "BOI": (2, 6, 4),
}
NAMED = {
    "glorot_normal_": "glorot_normal",
    "glorot_truncated_normal_": "glorot_truncated_normal",
    "glorot_uniform_": "glorot_uniform",
    "he_normal_": "he_normal",
    "he_truncated_normal_": "he_truncated_normal",
    "he_uniform_": "he_uniform",
    "kaiming_normal_": "he_normal",
    "kaiming_truncated_normal_": "he_truncated_normal",
    "kaiming_uniform_": "he_uniform",
    "lecun_normal_": "lecun_normal",
    "lecun_truncated_normal_": "lecun_truncated_normal",
    "lecun_uniform_": "lecun_uniform",
    "variance_scaling_": "variance_scaling",
    "xavier_normal_": "glorot_normal",
    "xavier_truncated_normal_": "glorot_truncated_normal",
    "xavier_uniform_": "glorot_uniform",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", SHAPES)
def test_bits_are_the_services(layout, dtype, client, expect):
    tensor = torch.empty(SHAPES[layout], dtype=dtype)
    init_(tensor, activation="relu", seed=42, name="w", layout=layout, client=client)
    assert torch.equal(
        tensor, expect(*SHAPES[layout], dtype=dtype, layout=layout, activation="relu", name="w")
    )


@pytest.mark.parametrize(
    "said", [{"groups": 2}, {"fan_in": 9}, {"scheme": "lecun_uniform"}, {"distribution": "normal"}]
)
def test_keywords_are_those_of_a_spec(said, client, expect):
    named = {"name": "w", **said}
    assert torch.equal(init_(torch.empty(6, 4), seed=42, client=client, **named), expect(6, 4, **named))


def test_axes_are_those_of_torch_unless_said_otherwise(client, expect):
    drawn = init_(torch.empty(6, 4, 3), seed=42, name="w", client=client)
    assert torch.equal(drawn, expect(6, 4, 3, layout="OIW", name="w"))


def test_the_tensor_itself_is_returned(client):
    tensor = torch.empty(2, 3)
    assert init_(tensor, seed=42, name="w", client=client) is tensor


def test_the_default_client_is_asked(default_service, expect):
    assert torch.equal(init_(torch.empty(2, 3), seed=42, name="w"), expect(2, 3, name="w"))


@pytest.mark.parametrize(("name", "scheme"), NAMED.items())
def test_a_name_asks_for_its_scheme(name, scheme, client, expect):
    drawn = getattr(weightinit.torch, name)(torch.empty(6, 4), seed=42, name="w", client=client)
    assert torch.equal(drawn, expect(6, 4, scheme=scheme, name="w"))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("kaiming_normal_", "kaiming_normal_"), ("xavier_normal_", "xavier_normal_")],
)
def test_a_name_means_the_same_spread_as_in_torch(ours, theirs, client):
    drawn = getattr(weightinit.torch, ours)(torch.empty(300, 200), seed=42, name="w", client=client)
    torch.manual_seed(0)
    expected = getattr(nn.init, theirs)(
        torch.empty(300, 200), **({"nonlinearity": "relu"} if "kaiming" in theirs else {})
    )
    assert drawn.std().item() == pytest.approx(expected.std().item(), rel=0.02)


UNFIT = {
    "integers": (lambda: torch.empty(2, 3, dtype=torch.int32), "float32, float64, float16, bfloat16.*int32"),
    "complex": (lambda: torch.empty(2, 3, dtype=torch.complex64), "complex64"),
    "float8": (lambda: torch.empty(2, 3, dtype=torch.float8_e4m3fn), "float8_e4m3fn"),
    "meta": (lambda: torch.empty(2, 3, device="meta"), "to_empty"),
    "expanded": (lambda: torch.empty(2, 1).expand(2, 3), "share memory"),
    "sparse": (lambda: torch.eye(3).to_sparse(), "must be dense"),
    "lazy": (lambda: nn.LazyLinear(3).weight, "run the module once"),
}


@pytest.mark.parametrize(("make", "words"), UNFIT.values(), ids=UNFIT)
def test_a_tensor_that_cannot_hold_weights_is_refused(make, words, client):
    with pytest.raises(TensorRejected, match=words):
        init_(make(), seed=42, name="w", client=client)


FILLING = [getattr(weightinit.torch, name) for name in (*NAMED, "init_")]


@pytest.mark.parametrize("fill", FILLING, ids=[*NAMED, "init_"])
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_a_tensor_without_elements_stays_with_the_warning_of_torch(fill, shape):
    tensor = torch.empty(shape)
    with pytest.warns(UserWarning, match="Initializing zero-element tensors is a no-op: 'w'"):
        assert fill(tensor, seed=42, name="w") is tensor


FIT = {
    "transposed": lambda: torch.empty(4, 6).t(),
    "with gaps": lambda: torch.empty(12, 8)[::2, ::2],
    "a parameter": lambda: nn.Parameter(torch.empty(6, 4)),
    "part of a parameter": lambda: nn.Parameter(torch.empty(9, 4))[:6],
    "the real part": lambda: torch.zeros(6, 4, dtype=torch.complex64).real,
    "the imaginary part of a conjugate": lambda: torch.zeros(6, 4, dtype=torch.complex64).conj().imag,
    "a subclass": lambda: torch.empty(6, 4).as_subclass(type("Own", (torch.Tensor,), {})),
}


@pytest.mark.parametrize("make", FIT.values(), ids=FIT)
def test_a_tensor_may_be(make, client, expect):
    filled = init_(make(), seed=42, name="w", client=client)
    assert torch.equal(filled.detach().as_subclass(torch.Tensor), expect(6, 4, name="w"))


def test_an_inference_tensor_is_filled_in_inference_mode(client, expect):
    with torch.inference_mode():
        filled = init_(torch.empty(4, 6).t(), seed=42, name="w", client=client)
        assert torch.equal(filled, expect(6, 4, name="w"))


@pytest.mark.parametrize("shape", [(), (3,)])
def test_a_tensor_of_fewer_than_two_axes_is_a_value_error_as_in_torch(shape, client):
    for fill in (nn.init.kaiming_uniform_, lambda one: init_(one, seed=42, name="w", client=client)):
        with pytest.raises(ValueError, match=r"fewer than 2|at least one axis|no fans"):
            fill(torch.empty(shape))


def test_the_error_names_the_tensor(client):
    with pytest.raises(TensorRejected, match=r"^encoder\.fc1 "):
        init_(torch.empty(2, device="meta"), seed=42, name="encoder.fc1", client=client)


def test_errors_are_the_clients():
    assert issubclass(TensorRejected, WeightinitError)


def test_the_service_says_what_is_wrong_with_a_spec(client):
    with pytest.raises(SpecRejected, match="rank 1 has no fans"):
        init_(torch.empty(3), seed=42, name="w", client=client)


def test_a_refused_spec_leaves_the_tensor_alone(client):
    tensor = torch.full((2, 3), 5.0)
    with pytest.raises(SpecRejected):
        init_(tensor, seed=42, name="w", activation="relo", client=client)
    assert tensor.eq(5).all()


def test_an_absent_service_leaves_the_tensor_alone():
    tensor = torch.full((2, 3), 5.0)
    with Client("http://127.0.0.1:9", retries=0) as absent, pytest.raises(ConnectionFailed):
        init_(tensor, seed=42, name="w", client=absent)
    assert tensor.eq(5).all()


def test_a_name_is_required():
    with pytest.raises(TypeError, match="'name'"):
        init_(torch.empty(2, 3), seed=42)


def test_an_empty_name_is_what_the_service_draws_without_one(client, expect):
    assert torch.equal(init_(torch.empty(2, 3), seed=42, name="", client=client), expect(2, 3))
