"""Files: models in YAML, written by people, or in JSON, written by programs.

JSON has the format of the service. YAML has the same fields, and braces in names: an entry stands for one
tensor per name, and its parts' names are expanded together with the tensor's.
"""

import itertools
import json
import math
import operator
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

from weightinit.errors import ConfigurationError, SpecRejected
from weightinit.models.expansion import Expand
from weightinit.models.model import Model
from weightinit.models.names import is_name
from weightinit.models.validation import locate, read_list, read_object
from weightinit.spec.layer import Spec, refuse

GROUP = re.compile(r"\{([^{}]*)\}")
# Without leading zeros, which set a width in bash.
RANGE = re.compile(r"(0|[1-9][0-9]{0,8})\.\.(0|[1-9][0-9]{0,8})", re.ASCII)


def expand_braces(text: str, most: int) -> list[str]:
    """Expand the braces of a name: inclusive ranges, and lists. The last one varies fastest.

    Raises SpecRejected if braces have neither, or expand to more than `most` names.

    >>> expand_braces("{0..1}.{q,k}", most=4)
    ['0.q', '0.k', '1.q', '1.k']
    """
    pattern, groups = _parse_groups(text, most)
    return [pattern.format(*chosen) for chosen in itertools.product(*groups)]


def count_names(text: str, most: int) -> int:
    """Count the names that braces expand to, without expanding them. Raises as expand_braces does.

    >>> count_names("{0..1}.{q,k}", most=4)
    4
    """
    return math.prod(map(len, _parse_groups(text, most)[1]))


def _parse_groups(text: str, most: int) -> tuple[str, list[Sequence[int | str]]]:
    pattern = GROUP.sub("{}", text)
    groups = [_expand_group(found[1], text) for found in GROUP.finditer(text)]
    if not pattern.count("{") == pattern.count("}") == len(groups):
        raise refuse("name", "must close each brace before it opens another", text)
    if any(count > most for count in itertools.accumulate(map(len, groups), operator.mul)):
        raise refuse("name", f"must expand to at most {most} names", text)
    return pattern, groups


def _expand_group(content: str, text: str) -> Sequence[int | str]:
    bounds = RANGE.fullmatch(content)
    if bounds and int(bounds[1]) <= int(bounds[2]):
        return range(int(bounds[1]), int(bounds[2]) + 1)
    if "," in content and ".." not in content:
        return content.split(",")
    rule = "must have {first..last}, ascending, or {one,another} in braces; JSON names may have any braces"
    raise refuse("name", rule, text)


# The maximum bytes of a file, by suffix. YAML is parsed a hundred times slower.
MAX_FILE_BYTES = {".yaml": 2**20, ".yml": 2**20, ".json": 2**23}
# The maximum number of tensors in a YAML file, each part counting as one: the service's default. With
# braces expanded, it may be as long as a JSON file.
MAX_TENSORS = 20_000


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file, its title for messages, and the suffix that determines its format."""

    title: str
    text: str
    suffix: str

    def read_model(self, expand: Expand | None = None) -> Model:
        """Read a model; `expand` writes out its recipe. Raises SpecRejected if it is invalid."""
        with self._locate():
            parsed = self._parse()
            if "recipe" not in parsed:
                return Model.from_json(parsed)
            if expand is None:
                rule = "is written out by a service: pass expand=client.expand"
                raise refuse("recipe", rule, parsed["recipe"])
            return expand(parsed).model

    def read_spec(self, **changes: object) -> Spec:
        """Read the spec of a layer, with some fields changed. Raises SpecRejected if it is invalid."""
        with self._locate():
            given = read_object(self._parse(), *(row.name for row in fields(Spec)))
            values: dict[str, Any] = {**given, **changes}
            if "shape" not in values:
                raise refuse("shape", "is required", None)
            return Spec(**values)

    def is_model(self) -> bool:
        """Return whether this is a model: whether it has tensors. Raises SpecRejected."""
        with self._locate():
            return "tensors" in self._parse()

    def _parse(self) -> Mapping[str, object]:
        is_json = self.suffix == ".json"
        answer = _parse_json(self.text) if is_json else _expand(_parse_yaml(self.text))
        if not isinstance(answer, Mapping):
            raise refuse("a model", "must be an object with a seed and tensors", type(answer).__name__)
        return answer

    @contextmanager
    def _locate(self) -> Iterator[None]:
        """Add the title to SpecRejected errors that a block raises."""
        try:
            yield
        except SpecRejected as error:
            message = f"{self.title}: {error}"
            raise SpecRejected(message, detail=message, errors=error.errors) from None


def read_model(path: str | os.PathLike[str], expand: Expand | None = None) -> Model:
    """Read a model from a file, .yaml, .yml or .json.

    A file with a recipe needs a service: `expand` is the method of a Client. Raises SpecRejected, with the
    line or the tensor, if the model is invalid; ConfigurationError if the file cannot be read, or is YAML and
    PyYAML is not installed.
    """
    return read_document(path).read_model(expand)


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read a document from a file. Raises ConfigurationError."""
    path = Path(path)
    if path.suffix not in MAX_FILE_BYTES:
        raise ConfigurationError(
            f"the name of a model's file must end in {' or '.join(MAX_FILE_BYTES)}; received {path}"
        )
    try:
        with path.open("rb") as file:
            return _read_file(file, str(path), path.suffix)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error


def read_stream(file: BinaryIO, title: str) -> Document:
    """Read a document from a stream: JSON if it starts with an object, else YAML.

    Raises ConfigurationError.
    """
    document = _read_file(file, title, ".json")
    return document if JSON_START.match(document.text) else replace(document, suffix=".yaml")


JSON_START = re.compile(r"\s*\{\s*[\"}]")


def is_document(text: str) -> bool:
    """Return whether a text is the path of a model's file, by its suffix.

    A text that could also be a name is a path only if that file exists.

    >>> is_document("examples/resnet50.yaml"), is_document("vision/resnet50/1.0")
    (True, False)
    >>> is_document("vision/resnet50/v1.json")
    False
    """
    # Path.is_file raises if the folder cannot be searched.
    is_there = os.path.isfile(text)  # noqa: PTH113
    return Path(text).suffix in MAX_FILE_BYTES and (is_there or not is_name(text))


def _read_file(file: BinaryIO, title: str, suffix: str) -> Document:
    longest = MAX_FILE_BYTES[suffix]
    data = file.read(longest + 1)
    if len(data) > longest:
        raise ConfigurationError(f"{title} is longer than {longest} bytes, the maximum for {suffix}")
    try:
        return Document(title, data.decode(), suffix)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{title} is not UTF-8: {error}") from None


def _parse_yaml(text: str) -> object:
    try:
        from weightinit.models.yaml import parse_yaml  # noqa: PLC0415 - it needs PyYAML, which is an extra
    except ImportError:
        raise ConfigurationError(
            "a YAML file needs PyYAML: pip install 'weightinit[cli]', or use JSON"
        ) from None
    return parse_yaml(text)


def _parse_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_build_object, parse_constant=_refuse_constant)
    except SpecRejected:
        raise
    except (ValueError, RecursionError) as error:
        raise SpecRejected(f"invalid JSON: {error}", detail=str(error)) from None


def _build_object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    built = dict(pairs)
    if len(built) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        raise refuse("an object", "must not have a key twice", twice)
    return built


def _refuse_constant(text: str) -> object:
    raise refuse("a number", "must be finite", text)


def _expand(document: object) -> object:
    """Expand the braces in the names of tensors. Raises SpecRejected."""
    if not isinstance(document, Mapping) or "tensors" not in document:
        return document
    entries = read_list("tensors", document["tensors"])
    _check_size(entries)
    tensors: list[object] = []
    for number, entry in enumerate(entries):
        with locate(f"tensors[{number}]"):
            tensors += _expand_tensor(entry)
    return {**document, "tensors": tensors}


def _check_size(entries: list[object]) -> None:
    """Check the size of the entries with braces expanded, before expanding them. Raises SpecRejected."""
    count = length = 0
    for number, entry in enumerate(entries):
        parts = entry.get("parts") if isinstance(entry, Mapping) else None
        with locate(f"tensors[{number}]"):
            names = count_names(entry["name"], MAX_TENSORS) if _has_name(entry) else 1
        count += names * max(1, len(parts) if isinstance(parts, list) else 1)
        length += names * len(json.dumps(entry))
        if count > MAX_TENSORS:
            rule = f"must be at most {MAX_TENSORS} in a file, each part counting as one"
            raise refuse("tensors", rule, f"{count} and more")
        if length > MAX_FILE_BYTES[".json"]:
            rule = f"must come to at most {MAX_FILE_BYTES['.json']} bytes of JSON with braces expanded"
            raise refuse("tensors", rule, f"{length} and more")


def _has_name(entry: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(entry, Mapping) and isinstance(entry.get("name"), str)


def _expand_tensor(entry: object) -> list[object]:
    if not _has_name(entry):
        return [entry]
    names = expand_braces(entry["name"], MAX_TENSORS)
    expanded = [{**entry, "name": name} for name in names]
    if isinstance(entry.get("parts"), list) and entry["parts"]:
        parts = [_expand_part(part, len(names)) for part in entry["parts"]]
        for tensor, own in zip(expanded, zip(*parts, strict=True), strict=True):
            tensor["parts"] = list(own)
    return list(expanded)


def _expand_part(part: object, count: int) -> list[object]:
    """Expand a part to one for each tensor of its entry."""
    if not _has_name(part):
        return [part] * count
    names = expand_braces(part["name"], count)
    if len(names) != count:
        raise refuse("parts", f"must have as many names as the tensor, {count}", part["name"])
    return [{**part, "name": name} for name in names]
