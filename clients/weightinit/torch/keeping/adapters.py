"""Adapters: how the parameters of PEFT's begin, which their modules do not say."""

from torch import nn

from weightinit.adapters.actions import Block, Constant, Draw, Leave
from weightinit.torch.layers import spell

# Adapters of PEFT (Hu et al. 2022: B begins at zero, so that the model begins as it was): by the name of the
# layer's type, the nearest first, what each of its attributes holds; None where the module there says it.
# Where an embedding is adapted, PEFT calls the factor that is looked up A, and it is A that is zero.
UNCHANGED = Block(Constant(0.0), "It begins at zero, so that the adapter changes nothing at first.")
FACTOR = Block(Draw({"layout": "OI", "activation": None}), "The other factor of the adapter follows.")
MEASURED = Block(Leave(), "PEFT computes it from the layer that it adapts.", certainty="guessed")
ADAPTERS: dict[str, dict[str, Block | None]] = {
    "peft.tuners.adalora.layer.AdaLoraLayer": {"lora_A": FACTOR, "lora_B": FACTOR, "lora_E": UNCHANGED},
    "peft.tuners.lora.layer.LoraLayer": {
        "lora_A": None,
        "lora_B": UNCHANGED,
        "lora_embedding_A": UNCHANGED,
        "lora_embedding_B": FACTOR,
        "lora_magnitude_vector": MEASURED,
    },
}
# What a configuration of LoRA says where the factors begin as above; others, as "pissa", compute both.
USUAL = (True, "gaussian")


def find_adapters(root: nn.Module) -> dict[int, Block]:
    """Find how the parameters of adapters begin, by their ids, where it is not their modules that say so."""
    modules = list(root.modules())
    rows = [
        (module, ADAPTERS[name])
        for module in modules
        if (name := next(filter(ADAPTERS.__contains__, spell(type(module).__mro__)), None)) is not None
    ]
    configurations: dict[str, object] = {}
    for module in modules if rows else ():
        said = getattr(module, "peft_config", None)
        configurations |= said if isinstance(said, dict) else {}
    found: dict[int, Block] = {}
    for module, row in rows:
        for attribute, block in row.items():
            for name, parameter in getattr(module, attribute, nn.ModuleDict()).named_parameters():
                said = getattr(configurations.get(name.partition(".")[0]), "init_lora_weights", True)
                adapter = block if said in USUAL else MEASURED
                if said is False:  # neither is zero
                    adapter = None if block is UNCHANGED else block
                if adapter is not None:
                    found[id(parameter)] = adapter
    return found
