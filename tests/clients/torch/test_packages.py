"""Models of PEFT and transformers, if installed, are planned without rules."""

import importlib.util
import warnings

import pytest
import torch
from torch import nn
from weightinit.adapters.actions import Constant, Draw, Leave
from weightinit.torch import initialize_
from weightinit.torch.plan import plan_parameters


@pytest.fixture(scope="module", autouse=True)
def _operators():
    """Operators of torchvision, without which it cannot be imported, where only its Python part is there."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    if importlib.util.find_spec("torchvision") and not hasattr(torch.ops.torchvision, "nms"):
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


@pytest.fixture
def peft():
    """PEFT."""
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip("peft", exc_type=ImportError)


@pytest.fixture
def transformers():
    """The Transformers library."""
    with warnings.catch_warnings(action="ignore"):
        return pytest.importorskip("transformers", exc_type=ImportError)


class Net(nn.Module):
    """A model with a layer of each kind that PEFT adapts."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.fc1 = nn.Linear(8, 16)
        self.conv = nn.Conv1d(16, 16, 1)
        self.fc2 = nn.Linear(16, 5)

    def forward(self, tokens):
        x = torch.relu(self.fc1(self.table(tokens)))
        return self.fc2(self.conv(x.transpose(1, 2)).transpose(1, 2))


TARGETS = ["table", "fc1", "conv", "fc2"]
TOKENS = torch.arange(12).view(3, 4)


def adapt(peft, model, **said):
    """Adapt a model by LoRA."""
    return peft.get_peft_model(model, peft.LoraConfig(**{"r": 2, "target_modules": TARGETS, **said}))


def spoil(model):
    """Draw what LoRA begins at zero, so that one that is not set to zero shows."""
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(parameter)
    return model


def test_an_adapter_changes_nothing_at_first(peft, client):
    base = Net()
    initialize_(base, 42, client=client)
    expected = base(TOKENS)
    adapted = spoil(adapt(peft, base))
    initialize_(adapted, 42, client=client)
    torch.testing.assert_close(adapted(TOKENS), expected)


def test_an_adapted_model_of_which_nothing_is_frozen_starts_as_its_base(peft, client):
    base, adapted = Net(), spoil(adapt(peft, Net())).requires_grad_(True)
    initialize_(base, 42, client=client)
    initialize_(adapted, 42, client=client)
    torch.testing.assert_close(adapted(TOKENS), base(TOKENS))


def test_the_base_of_an_adapter_is_kept(peft, client):
    base = Net()
    before = {name: parameter.clone() for name, parameter in base.named_parameters()}
    initialize_(adapt(peft, base), 42, client=client)
    assert torch.equal(base.fc1.base_layer.weight, before["fc1.weight"])


def test_both_factors_of_an_adapter_are_seeded(peft, client):
    first, second = adapt(peft, Net()), adapt(peft, Net())
    for model in (first, second):
        initialize_(model, 42, client=client)
    state = second.state_dict()
    factors = [name for name in state if "lora_" in name]
    assert len(factors) == 8
    assert all(torch.equal(first.state_dict()[name], state[name]) for name in factors)


def test_an_adapter_without_memory_begins_at_zero(peft):
    with torch.device("meta"):
        adapted = adapt(peft, Net())
    planned = {entry.name: entry.action for entry in plan_parameters(adapted)}
    zeros = [f"{name}.lora_B.default.weight" for name in TARGETS[1:]] + ["table.lora_embedding_A.default"]
    assert [planned[name] for name in zeros] == [Constant(0.0)] * 4


def test_names_are_those_of_the_base(peft):
    adapted = adapt(peft, Net())
    names = {entry.name for entry in plan_parameters(adapted)}
    assert {name for name in names if "lora_" not in name} == {name for name, _ in Net().named_parameters()}


def test_lengths_that_an_adapter_measured_are_kept(peft):
    adapted = adapt(peft, Net(), use_dora=True, target_modules=["fc1"])
    planned = {entry.name: entry.action for entry in plan_parameters(adapted)}
    assert planned["fc1.lora_magnitude_vector.default.weight"] == Leave()


def test_factors_that_are_computed_from_the_base_are_kept(peft, client):
    adapted = adapt(peft, Net(), init_lora_weights="pissa", target_modules=["fc1"])
    before = {name: one.clone() for name, one in adapted.named_parameters()}
    initialize_(adapted, 42, client=client)
    assert all(torch.equal(one, before[name]) for name, one in adapted.named_parameters())


def test_a_second_factor_that_is_not_to_be_zero_is_drawn(peft):
    adapted = adapt(peft, Net(), init_lora_weights=False, target_modules=["fc1"])
    planned = {entry.name: entry.action for entry in plan_parameters(adapted)}
    assert isinstance(planned["fc1.lora_B.default.weight"], Draw)


COMMON = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
SPEECH = {
    "vocab_size": 50,
    "d_model": 16,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_source_positions": 20,
    "max_target_positions": 20,
    "num_mel_bins": 8,
    **{f"{token}_token_id": 1 for token in ("pad", "bos", "eos", "decoder_start")},
}
T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
GPT2 = {"vocab_size": 50, "n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": 1, "eos_token_id": 1}
IMAGES = {**COMMON, "image_size": 32, "patch_size": 16}
KINDS = {
    "GPT2LMHeadModel": GPT2,
    "LlamaForCausalLM": COMMON | {"num_key_value_heads": 2},
    "MistralForCausalLM": COMMON | {"num_key_value_heads": 2},
    "GemmaForCausalLM": COMMON | {"num_key_value_heads": 2, "head_dim": 8},
    "T5ForConditionalGeneration": T5,
    "BertForMaskedLM": COMMON,
    "WhisperForConditionalGeneration": SPEECH,
    "ViTForImageClassification": {key: value for key, value in IMAGES.items() if key != "vocab_size"},
}


def build(transformers, kind, device="cpu"):
    """Build a model by the name of its class, of a small configuration."""
    with warnings.catch_warnings(action="ignore"), torch.device(device):
        model = getattr(transformers, kind)
        return model(model.config_class(**KINDS[kind]))


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_model_needs_no_rule(kind, device, transformers):
    planned = plan_parameters(build(transformers, kind, device))
    assert {entry.certainty for entry in planned} <= {"certain", "guessed"}


NORMS = {
    "LlamaForCausalLM": ("model.norm.weight", 1.0),
    "GemmaForCausalLM": ("model.norm.weight", 0.0),
    "T5ForConditionalGeneration": ("encoder.final_layer_norm.weight", 1.0),
}


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("kind", NORMS)
def test_a_norm_begins_as_identity(kind, device, transformers):
    name, value = NORMS[kind]
    planned = {entry.name: entry for entry in plan_parameters(build(transformers, kind, device))}
    assert planned[name].action == Constant(value)


def test_the_sinusoids_of_whisper_are_kept(transformers):
    planned = {
        entry.name: entry for entry in plan_parameters(build(transformers, "WhisperForConditionalGeneration"))
    }
    assert planned["model.encoder.embed_positions.weight"].action == Leave()


def test_three_projections_in_columns_have_the_fans_of_one(transformers, client):
    report = initialize_(build(transformers, "GPT2LMHeadModel"), 42, client=client)
    row = report["transformer.h.0.attn.c_attn.weight"]
    assert (row.shape, row.layout, row.fan_in, row.fan_out) == ((16, 48), "IO", 16, 16)


@pytest.mark.parametrize("kind", ["GPT2LMHeadModel", "T5ForConditionalGeneration"])
def test_a_table_that_is_a_head_starts_as_a_head(kind, transformers, client):
    report = initialize_(build(transformers, kind), 42, client=client)
    assert report["lm_head.weight"].variance == 1 / 16
