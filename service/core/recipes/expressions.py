"""Expressions: the arithmetic of rules as text, such as `sigma / sqrt(2 * layers)`, and its exact evaluation.

Integers are exact. Every other operation is one of IEEE 754 binary64, rounded to nearest, in the order of
the expression. `sqrt` is correctly rounded, and so is `ln`, which is computed with 50 decimal digits. So a
rule gives the same number on every machine, and a model the same id.
"""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from functools import cache

Number = int | float

DIGITS = 50
OPERATORS: Mapping[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def compute_ln(value: Number) -> float:
    """Compute the natural logarithm without the C library, whose last bit differs between platforms.

    >>> compute_ln(24)
    3.1780538303479458
    """
    return float(Context(prec=DIGITS).ln(Decimal(value)))


FUNCTIONS: Mapping[str, Callable[[Number], float]] = {"sqrt": math.sqrt, "ln": compute_ln}


@cache
def parse_expression(text: str) -> ast.expr:
    """Parse an expression of numbers, names, + - * /, sqrt and ln. Raises ValueError."""
    tree = ast.parse(text, mode="eval").body
    _check(tree, text)
    return tree


@cache
def find_names(text: str) -> frozenset[str]:
    """Return the names in an expression, in no order.

    >>> sorted(find_names("sigma / sqrt(2 * layers)"))
    ['layers', 'sigma']
    """
    nodes = ast.walk(parse_expression(text))
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name)) - FUNCTIONS.keys()


def evaluate(text: str, values: Mapping[str, Number]) -> Number:
    """Evaluate an expression for the values of its names. Raises ZeroDivisionError and ValueError.

    >>> evaluate("sigma / sqrt(2 * layers)", {"sigma": 0.02, "layers": 12})
    0.004082482904638631
    """
    return _evaluate(parse_expression(text), values)


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Constant(value=int() | float()) | ast.Name():
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            _check(left, text)
            _check(right, text)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            _check(argument, text)
        case _:
            raise ValueError(f"{text} has more than numbers, names, + - * /, sqrt and ln")


def _evaluate(node: ast.expr, values: Mapping[str, Number]) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right):
            return OPERATORS[type(op)](_evaluate(left, values), _evaluate(right, values))
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, values)
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return FUNCTIONS[name](_evaluate(argument, values))
        case _:
            raise ValueError(ast.dump(node))
