"""Braces: many names written as one, as in bash.

`layers.{0..31}.weight` is 32 names, and `attn.{q,k,v}.weight` is three.
"""

import itertools
import math
import operator
import re
from collections.abc import Sequence

from weightinit.spec import refuse

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
