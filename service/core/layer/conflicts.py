"""Conflicts: fields of a spec that contradict each other, or that the scheme does not use."""

from collections.abc import Iterator

from service.core.cut import compute_cut
from service.core.errors import MISSING, FieldError
from service.core.layer.spec import LayerSpec
from service.core.layer.spread import SCALING_FIELDS, SPREADS, SpreadName
from service.core.scheme_names import SchemeSpelling
from service.core.schemes import OPTIONS, SCHEMES, DistributionName, Scheme, SchemeName
from service.core.signal.moments import MOMENTS, PARAMETRIC

#: Fields with checks of their own below, whose messages say more.
CHECKED = frozenset({"scale", "negative_slope", "fan_in", "fan_out", "fans_as", *SPREADS})
DEFAULTS = {"sparsity_axis": "I", "center": "same"}
#: Fields without which a scheme is not determined.
REQUIRED: dict[SchemeName, tuple[str, ...]] = {"sparse": ("stddev", "sparsity"), "constant": ("constant",)}
#: Fields of the axes, and their defaults, which a framework's own count of fans ignores.
AXES = {"groups": 1, "transposed": False, "stride": None, "fan_in": None, "fan_out": None}


def find_conflicts(
    spec: LayerSpec, spelling: SchemeSpelling, scheme: Scheme, distribution: DistributionName | None
) -> Iterator[FieldError]:
    """Yield an error for each field that conflicts with another or with the scheme."""
    yield from _check_spread(spec, scheme)
    yield from _check_options(spec, scheme)
    yield from _check_scale(spec, scheme)
    yield from _check_slope(spec, scheme)
    yield from _check_fans(spec, scheme)
    yield from _check_distribution(spec, spelling)
    yield from _check_cut(spec, distribution)
    yield from _check_interval(spec, distribution)
    yield from _check_activation(spec, scheme)


def _refuse(spec: LayerSpec, field: str, conflict: str) -> FieldError:
    return FieldError.of(field, f"must not be combined with {conflict}", getattr(spec, field))


def _require(spec: LayerSpec, field: str, why: str) -> Iterator[FieldError]:
    if getattr(spec, field) is None:
        yield FieldError.of(field, f"is required: {why}", MISSING)


def _check_options(spec: LayerSpec, scheme: Scheme) -> Iterator[FieldError]:
    """Yield an error for each field that the scheme does not use."""
    handled = CHECKED if scheme.scale else CHECKED - {"scale"}
    if scheme.name == "explicit":
        handled = CHECKED.union(SCALING_FIELDS) if spec.spreads else frozenset({"negative_slope"})
    for field in sorted(OPTIONS - scheme.options - handled):
        if getattr(spec, field) != DEFAULTS.get(field):
            users = " or ".join(row.name for row in SCHEMES.values() if field in row.options)
            yield _refuse(spec, field, f"scheme={scheme.name}: it is for {users}")


def _check_spread(spec: LayerSpec, scheme: Scheme) -> Iterator[FieldError]:
    if scheme.name == "explicit" and not spec.spreads and spec.low is None and spec.high is None:
        names = ", ".join(SPREADS)
        yield FieldError.of("scheme", f"explicit requires one of {names}, or low and high", spec.scheme)
    for name in spec.spreads:
        for conflict in _list_conflicts(spec, scheme, name):
            yield _refuse(spec, name, conflict)
    for field in REQUIRED.get(scheme.name, ()):
        yield from _require(spec, field, f"scheme={scheme.name} uses it")


def _list_conflicts(spec: LayerSpec, scheme: Scheme, name: SpreadName) -> Iterator[str]:
    """Yield the fields of a spec that conflict with a spread field, and why."""
    if name not in scheme.options:
        yield f"scheme={spec.scheme}: it implies scheme explicit"
    names = list(SPREADS)
    for other in (*names[names.index(name) + 1 :], *SCALING_FIELDS):
        if (value := getattr(spec, other)) is not None:
            yield f"{other}={value}: both determine σ"
    known = SPREADS[name].distributions
    if spec.distribution is not None and spec.distribution not in known:
        yield f"distribution={spec.distribution}: it requires {' or '.join(known)}"


def _check_scale(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if spec.scale is None or scheme.scale is None or scheme.name == "variance_scaling":
        return ()
    rule = f"is {scheme.scale:g} in scheme {scheme.name}: use scheme=variance_scaling to set another"
    return (FieldError.of("scale", rule, spec.scale),)


def _check_slope(spec: LayerSpec, scheme: Scheme) -> tuple[FieldError, ...]:
    if spec.negative_slope is None or scheme.name == "he" or spec.spreads:
        return ()
    but = f"and activation {spec.activation} uses" if spec.scheme == "auto" else "not"
    rule = f"applies to scheme he only, {but} {scheme.name}"
    return (FieldError.of("negative_slope", rule, spec.negative_slope),)


def _check_distribution(spec: LayerSpec, spelling: SchemeSpelling) -> tuple[FieldError, ...]:
    given, carried = spec.distribution, spelling.distribution
    if given is None or carried is None or given == carried:
        return ()
    if (given, carried) == ("truncated_normal", "normal"):
        return ()  # this is what Keras and JAX call he_normal
    rule = f"contradicts scheme {spelling.name}, whose distribution is {carried}"
    return (FieldError.of("distribution", rule, given),)


def _check_fans(spec: LayerSpec, scheme: Scheme) -> Iterator[FieldError]:
    if scheme.name != "explicit":  # where they conflict with the field that sets σ
        for field in ("fan_in", "fan_out", "fans_as"):
            if field not in scheme.options and getattr(spec, field) is not None:
                yield _refuse(spec, field, f"scheme={scheme.name}: it does not depend on fans that are set")
    if spec.fans_as is not None:
        for field, default in AXES.items():
            if (value := getattr(spec, field)) != default:
                yield _refuse(spec, "fans_as", f"{field}={value}: it counts by the shape alone")


def _check_cut(spec: LayerSpec, distribution: DistributionName | None) -> Iterator[FieldError]:
    given = [name for name in ("lower", "upper") if getattr(spec, name) is not None]
    for name in given:
        if distribution != "truncated_normal":
            yield _refuse(spec, name, f"distribution={distribution}: it is for truncated_normal")
        elif spec.low is not None or spec.high is not None:
            yield _refuse(spec, name, "low and high: both set where the normal is cut")
    if given and distribution == "truncated_normal" and spec.low is None:
        ends = spec.ends
        if not ends[0] < ends[1]:
            rule = f"must leave lower, {ends[0]}, below upper, {ends[1]}"
            yield FieldError.of(given[-1], rule, getattr(spec, given[-1]))
        else:
            yield from _check_mass(given[-1], getattr(spec, given[-1]), *ends)


def _check_mass(field: str, value: object, lower: float, upper: float) -> Iterator[FieldError]:
    try:
        compute_cut(lower, upper)
    except ValueError:
        yield FieldError.of(field, "must leave at least 2⁻²⁰ of the normal between the two cuts", value)


def _check_interval(spec: LayerSpec, distribution: DistributionName | None) -> Iterator[FieldError]:
    """Yield the errors of low and high."""
    if spec.low is None and spec.high is None:
        return
    if spec.low is None or spec.high is None:
        yield from _require(spec, "low", "high is set")
        yield from _require(spec, "high", "low is set")
        return
    if not spec.low < spec.high:
        yield FieldError.of("low", f"must be less than high, {spec.high}", spec.low)
        return
    if distribution == "normal":
        yield _refuse(spec, "low", "distribution=normal: it is for uniform or truncated_normal")
    elif distribution == "uniform":
        for name in ("mean", *SPREADS):
            if getattr(spec, name) is not None:
                yield _refuse(spec, name, "low and high: both determine the values")
    elif spec.parent_stddev is None:
        yield from _require(spec, "parent_stddev", "low and high cut a truncated_normal")
    else:
        yield from _check_mass("low", spec.low, *spec.ends)


def _check_activation(spec: LayerSpec, scheme: Scheme) -> Iterator[FieldError]:
    """Yield the errors of the activation, and of its parameter, that scheme preserve uses."""
    if scheme.name != "preserve":
        return
    row, values = PARAMETRIC.get(spec.activation), spec.activation_parameter
    if row is None and spec.activation not in MOMENTS:
        yield _refuse(spec, "activation", "scheme=preserve: it depends on all units together, not on one")
    if values is None:
        return
    if row is None:
        users = ", ".join(PARAMETRIC)
        yield _refuse(spec, "activation_parameter", f"activation={spec.activation}: it is for {users}")
    elif len(values) > len(row.defaults):
        rule = f"has at most {len(row.defaults)} numbers for {spec.activation}: {row.meaning}"
        yield FieldError.of("activation_parameter", rule, values)
    elif min(values) < row.least:
        rule = f"must be at least {row.least} for {spec.activation}: {row.meaning}"
        yield FieldError.of("activation_parameter", rule, values)
