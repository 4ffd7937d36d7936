"""YAML: parse the subset that maps to JSON, without surprising conversions. It needs PyYAML.

Anchors, aliases, tags, several documents and duplicate keys are rejected, with their line. Plain scalars
follow the core schema (YAML 1.2.2, section 10.3), except for `0o`, `0x`, `.inf`, `.nan` and capitals, as
in `True` or `NULL`: all of these are text. So are `no` and `1:30`, which YAML 1.1 reads as false and 90.
"""

import re

import yaml

from weightinit.errors import SpecRejected
from weightinit.spec.layer import refuse

MAX_DEPTH = 16

# Longer ones are read as floats.
INTEGER = re.compile(r"[-+]?[0-9]{1,40}", re.ASCII)
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
WORDS: dict[str, bool | None] = {"": None, "~": None, "null": None, "true": True, "false": False}


class Loader(yaml.SafeLoader):
    """PyYAML's loader of the tree of nodes, without the features that JSON does not have."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose a node. Raises SpecRejected."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise refuse_line(
                event.start_mark, "must not have anchors or aliases: repeat the value", event.anchor
            )
        if event.tag is not None:
            raise refuse_line(event.start_mark, "must not have tags", event.tag)
        if self.depth >= MAX_DEPTH:
            raise refuse_line(event.start_mark, f"must be nested at most {MAX_DEPTH} deep", self.depth)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def parse_yaml(text: str) -> object:
    """Parse a document. Raises SpecRejected.

    >>> parse_yaml("slice: 1:30")
    {'slice': '1:30'}
    """
    try:
        node = Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecRejected(f"line {mark.line + 1 if mark else '?'}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise SpecRejected(" ".join(str(error).split())) from None
    return None if node is None else _build(node)


def refuse_line(mark: yaml.Mark, rule: str, received: object) -> SpecRejected:
    """Return the error for a line."""
    return refuse(f"line {mark.line + 1}", rule, received)


def _build(node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return _build_object(node)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item) for item in node.value]
    is_quoted = isinstance(node, yaml.ScalarNode) and node.style is not None
    return node.value if is_quoted else _read_plain(node.value)


def _build_object(node: yaml.MappingNode) -> dict[str, object]:
    built: dict[str, object] = {}
    for key, value in node.value:
        name = _build(key)
        if not isinstance(name, str):
            raise refuse_line(key.start_mark, "must have text as a key", name)
        if name in built:
            raise refuse_line(key.start_mark, "must not have a key twice", name)
        built[name] = _build(value)
    return built


def _read_plain(text: str) -> object:
    """Return the value of a plain scalar."""
    if text in WORDS:
        return WORDS[text]
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text
