import pytest

from service.core.activations import ACTIVATION_NAMES, ACTIVATIONS, find_activation, suggest_activations

# What keras.activations and jax.nn hold beside activation functions. A new name fails the test, on purpose.
KERAS_OTHERS = {"get", "serialize", "deserialize"}
JAX_OTHERS = {
    "dot_product_attention", "get_scaled_dot_general_config", "initializers", "log1mexp", "logmeanexp",
    "logsumexp", "one_hot", "scaled_dot_general", "scaled_matmul", "standardize",
}  # fmt: skip
# torch.nn.functional has no list of its activations: these are its page's "Non-linear activation functions".
TORCH_FUNCTIONAL = [
    "threshold", "threshold_", "relu", "relu_", "hardtanh", "hardtanh_", "hardswish", "relu6", "elu",
    "elu_", "selu", "celu", "leaky_relu", "leaky_relu_", "prelu", "rrelu", "rrelu_", "glu", "gelu",
    "logsigmoid", "hardshrink", "tanhshrink", "softsign", "softplus", "softmin", "softmax", "softshrink",
    "gumbel_softmax", "log_softmax", "tanh", "sigmoid", "hardsigmoid", "silu", "mish",
]  # fmt: skip
TIMM_AND_OTHERS = [
    "gelu_tanh", "quick_gelu", "hard_mish", "logistic", "none", "swiglu", "geglu", "reglu", "PReLU",
    "Identity", "identity",
]  # fmt: skip


def list_public_names(module):
    return {name for name in dir(module) if not name.startswith("_")}


def find_unknown(names):
    return {name for name in names if find_activation(name) is None}


def test_every_activation_of_keras_is_known():
    import keras

    assert find_unknown(list_public_names(keras.activations) - KERAS_OTHERS) == set()


def test_every_activation_of_jax_is_known():
    import jax

    assert find_unknown(list_public_names(jax.nn) - JAX_OTHERS) == set()


def test_every_activation_class_of_torch_is_known():
    from torch.nn.modules import activation

    assert find_unknown(set(activation.__all__) - {"MultiheadAttention"}) == set()


def test_every_activation_function_of_torch_is_known():
    assert find_unknown(TORCH_FUNCTIONAL) == set()


def test_the_list_of_activation_functions_of_torch_is_real():
    from torch.nn import functional

    assert [name for name in TORCH_FUNCTIONAL if not hasattr(functional, name)] == []


@pytest.mark.parametrize("name", TIMM_AND_OTHERS)
def test_names_beyond_the_frameworks_are_known(name):
    assert find_activation(name) is not None


@pytest.mark.parametrize("spelling", ["leaky_relu", "LeakyReLU", "LEAKY-RELU", "leakyrelu", "leaky_relu_"])
def test_case_underscores_and_hyphens_do_not_matter(spelling):
    assert find_activation(spelling).name == "leaky_relu"


@pytest.mark.parametrize(
    ("synonym", "name"),
    [
        ("logistic", "sigmoid"),
        ("swish", "silu"),
        ("hard_swish", "hard_silu"),
        ("soft_sign", "softsign"),
        ("identity", "linear"),
    ],
)
def test_synonyms_are_one_row(synonym, name):
    assert find_activation(synonym) is ACTIVATIONS[name]


@pytest.mark.parametrize(
    ("name", "scheme"),
    [
        ("identity", "glorot"),
        ("hard_sigmoid", "glorot"),
        ("softsign", "glorot"),
        ("log_softmax", "glorot"),
        ("relu6", "he"),
        ("softplus", "he"),
        ("hard_swish", "he"),
        ("swiglu", "he"),
        ("selu", "lecun"),
    ],
)
def test_each_family_has_its_scheme(name, scheme):
    assert find_activation(name).scheme == scheme


def test_only_selu_normalizes_itself():
    assert [row.name for row in ACTIVATIONS.values() if row.scheme == "lecun"] == ["selu"]


def test_every_reason_is_a_sentence():
    assert [row.name for row in ACTIVATIONS.values() if not row.reason.endswith(".")] == []


def test_no_name_is_claimed_twice():
    assert len(set(ACTIVATION_NAMES)) == len(ACTIVATION_NAMES)


@pytest.mark.parametrize("name", ["", "relo", "tanhh", "\ud800", "reluu" * 1000])
def test_other_names_are_not_known(name):
    assert find_activation(name) is None


def test_a_misspelling_gets_the_nearest_name_first():
    assert suggest_activations("softmaxx")[0] == "softmax"


def test_noise_gets_no_suggestion():
    assert suggest_activations("x" * 100_000) == ()
