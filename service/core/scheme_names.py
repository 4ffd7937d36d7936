"""Names of schemes: every spelling, with and without the distribution.

A name may include the distribution: `he_uniform`, `glorot_normal`, `lecun_truncated_normal`.
`normal` never means truncated. Keras and JAX draw `he_normal` from a normal distribution truncated at ±2σ,
which is `he_truncated_normal` here, or `he_normal` with `distribution=truncated_normal`. PyTorch does not
truncate it.
"""

from dataclasses import dataclass

from service.core.schemes import DISTRIBUTIONS, SCHEMES, DistributionName, Scheme, SchemeName
from service.core.spelling import find_nearest_names, fold_name


@dataclass(frozen=True, slots=True)
class SchemeSpelling:
    """A scheme's canonical name, and the distribution that the name includes, if any."""

    name: str
    scheme: Scheme | None
    distribution: DistributionName | None = None


AUTO = SchemeSpelling("auto", None)
#: Schemes whose names may include the distribution.
COMPOUND: frozenset[SchemeName] = frozenset({"glorot", "he", "lecun", "preserve"})


def _spell_schemes() -> dict[str, SchemeSpelling]:
    """List every accepted spelling: auto, plain names, and names with a distribution."""
    spellings = {"auto": AUTO}
    for scheme in SCHEMES.values():
        for alias in (scheme.name, *scheme.aliases):
            spellings[alias] = SchemeSpelling(scheme.name, scheme)
            for carried in DISTRIBUTIONS if scheme.name in COMPOUND else ():
                spellings[f"{alias}_{carried}"] = SchemeSpelling(f"{scheme.name}_{carried}", scheme, carried)
    return spellings


SPELLINGS: dict[str, SchemeSpelling] = _spell_schemes()
SCHEME_NAMES: tuple[str, ...] = tuple(SPELLINGS)
_BY_FOLDED_NAME: dict[str, SchemeSpelling] = {fold_name(name): row for name, row in SPELLINGS.items()}


def find_scheme(name: str) -> SchemeSpelling | None:
    """Find a scheme by any of its names, ignoring case, underscores and hyphens.

    >>> find_scheme("xavier_uniform_").name, find_scheme("HeNormal").distribution, find_scheme("hee")
    ('glorot_uniform', 'normal', None)
    """
    return SPELLINGS.get(name) or _BY_FOLDED_NAME.get(fold_name(name))


def list_spellings(scheme: Scheme) -> tuple[str, ...]:
    """List every name of a scheme, with and without a distribution.

    >>> list_spellings(SCHEMES["identity"])
    ('identity', 'eye')
    """
    return tuple(name for name, spelling in SPELLINGS.items() if spelling.scheme is scheme)


def list_schemes() -> str:
    """List the names of the schemes, for a message.

    >>> list_schemes()[:50]
    'auto, glorot (xavier), he (kaiming), lecun, varian'
    """
    names = (
        f"{scheme.name} ({', '.join(scheme.aliases)})" if scheme.aliases else scheme.name
        for scheme in SCHEMES.values()
    )
    return ", ".join([AUTO.name, *names])


def suggest_schemes(name: object) -> tuple[str, ...]:
    """Suggest the scheme names nearest to a wrong one.

    >>> suggest_schemes("heuniform2")[0]
    'he_uniform'
    """
    return find_nearest_names(name, SCHEME_NAMES)
