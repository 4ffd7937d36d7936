"""Documents: models written down by people, in YAML, or by programs, in JSON.

JSON is what the service takes, word for word. YAML says the same, and names may have braces in it: an entry
is then as many tensors as it has names, and a part's name goes along with its tensor's.
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
from weightinit.models.model import Model
from weightinit.models.names import is_name
from weightinit.models.validation import locate, read_list, read_object
from weightinit.spec.layer import Spec, refuse

GROUP = re.compile(r"\{([^{}]*)\}")
# Without leading zeros: whether they are kept is bash's own affair.
RANGE = re.compile(r"(0|[1-9][0-9]{0,8})\.\.(0|[1-9][0-9]{0,8})", re.ASCII)


def expand_braces(text: str, most: int) -> list[str]:
    """Expand the braces of a name, ranges with both of their ends, and lists. The last varies fastest.

    Raises SpecRejected where braces hold neither, or stand for more than `most` names.

    >>> expand_braces("{0..1}.{q,k}", most=4)
    ['0.q', '0.k', '1.q', '1.k']
    """
    pattern, groups = _parse_groups(text, most)
    return [pattern.format(*chosen) for chosen in itertools.product(*groups)]


def count_names(text: str, most: int) -> int:
    """Count the names that braces stand for, none of which is made. Raises SpecRejected as expanding does.

    >>> count_names("{0..1}.{q,k}", most=4)
    4
    """
    return math.prod(map(len, _parse_groups(text, most)[1]))


def _parse_groups(text: str, most: int) -> tuple[str, list[Sequence[int | str]]]:
    pattern = GROUP.sub("{}", text)
    groups = [_expand_group(found[1], text) for found in GROUP.finditer(text)]
    if not pattern.count("{") == pattern.count("}") == len(groups):
        raise refuse("name", "must close each brace that it opens, before it opens another", text)
    if any(count > most for count in itertools.accumulate(map(len, groups), operator.mul)):
        raise refuse("name", f"must stand for at most {most} names", text)
    return pattern, groups


def _expand_group(content: str, text: str) -> Sequence[int | str]:
    bounds = RANGE.fullmatch(content)
    if bounds and int(bounds[1]) <= int(bounds[2]):
        return range(int(bounds[1]), int(bounds[2]) + 1)
    if "," in content and ".." not in content:
        return content.split(",")
    rule = "must have {first..last}, counting up, or {one,another} in braces; in JSON, names are as they are"
    raise refuse("name", rule, text)


# Suffixes, and the most bytes of such a file. YAML is written by hand, and read a hundred times slower.
MAX_FILE_BYTES = {".yaml": 2**20, ".yml": 2**20, ".json": 2**23}
# The tensors of a file in YAML at most, each part counting as one; as many as a service takes unless it is
# told otherwise. Its braces expanded, it is no longer than one in JSON may be.
MAX_TENSORS = 20_000


@dataclass(frozen=True, slots=True)
class Document:
    """What is written down, under a title: the text of a file, and the suffix that says how to read it."""

    title: str
    text: str
    suffix: str

    def read_model(self) -> Model:
        """Read a model. Raises SpecRejected, with the line or the tensor, where it is none."""
        with self._locate():
            return Model.from_json(self._parse())

    def read_spec(self, **changes: object) -> Spec:
        """Read the spec of a layer, with some of its fields changed. Raises SpecRejected where it is none."""
        with self._locate():
            given = read_object(self._parse(), *(row.name for row in fields(Spec)))
            values: dict[str, Any] = {**given, **changes}
            if "shape" not in values:
                raise refuse("shape", "is required", None)
            return Spec(**values)

    def is_model(self) -> bool:
        """Tell whether it has tensors, and so is to be read as a model. Raises SpecRejected."""
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
        """Name the title in an error that a block raises."""
        try:
            yield
        except SpecRejected as error:
            message = f"{self.title}: {error}"
            raise SpecRejected(message, detail=message, errors=error.errors) from None


def read_model(path: str | os.PathLike[str]) -> Model:
    """Read a model from a file, .yaml, .yml or .json.

    Raises SpecRejected, with the line or the tensor, where it is no model; ConfigurationError where the
    file cannot be read, or is YAML and PyYAML is not installed.
    """
    return read_document(path).read_model()


def read_document(path: str | os.PathLike[str]) -> Document:
    """Read what is written down in a file. Raises ConfigurationError."""
    path = Path(path)
    if path.suffix not in MAX_FILE_BYTES:
        raise ConfigurationError(
            f"a model is read from a file {' or '.join(MAX_FILE_BYTES)}; received {path}"
        )
    try:
        with path.open("rb") as file:
            return _read_file(file, str(path), path.suffix)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error


def read_stream(file: BinaryIO, title: str) -> Document:
    """Read what is written down from a stream: JSON where it begins with an object's, else YAML.

    Raises ConfigurationError.
    """
    document = _read_file(file, title, ".json")
    return document if JSON_START.match(document.text) else replace(document, suffix=".yaml")


JSON_START = re.compile(r"\s*\{\s*[\"}]")


def is_document(text: str) -> bool:
    """Tell whether a text says a file that may have a model in it, by its suffix.

    What has the form of a name as well is one, unless there is such a file.

    >>> is_document("examples/resnet50.yaml"), is_document("vision/resnet50/1.0")
    (True, False)
    >>> is_document("vision/resnet50/v1.json")
    False
    """
    # Path.is_file raises where a folder may not be looked into.
    is_there = os.path.isfile(text)  # noqa: PTH113
    return Path(text).suffix in MAX_FILE_BYTES and (is_there or not is_name(text))


def _read_file(file: BinaryIO, title: str, suffix: str) -> Document:
    longest = MAX_FILE_BYTES[suffix]
    data = file.read(longest + 1)
    if len(data) > longest:
        raise ConfigurationError(f"{title} has more than the {longest} bytes of the longest {suffix}")
    try:
        return Document(title, data.decode(), suffix)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{title} is not UTF-8: {error}") from None


def _parse_yaml(text: str) -> object:
    try:
        from weightinit.models.yaml import parse_yaml  # noqa: PLC0415 - it needs PyYAML, which is an extra
    except ImportError:
        raise ConfigurationError(
            "a file in YAML needs PyYAML: pip install 'weightinit[cli]'; one in JSON needs nothing"
        ) from None
    return parse_yaml(text)


def _parse_json(text: str) -> object:
    try:
        return json.loads(text, object_pairs_hook=_build_object, parse_constant=_refuse_constant)
    except SpecRejected:
        raise
    except (ValueError, RecursionError) as error:
        raise SpecRejected(f"it is no JSON: {error}", detail=str(error)) from None


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
    """Check how much the entries stand for, before any of it is made. Raises SpecRejected."""
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
            rule = f"must come to at most {MAX_FILE_BYTES['.json']} bytes of JSON, their braces expanded"
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
    """Expand a part to one for each of the tensors that its entry stands for."""
    if not _has_name(part):
        return [part] * count
    names = expand_braces(part["name"], count)
    if len(names) != count:
        raise refuse("parts", f"must have names with the tensor's braces, {count} of them", part["name"])
    return [{**part, "name": name} for name in names]
