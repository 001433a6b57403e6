"""Evaluate an arithmetic expression without running it: a walk over its syntax tree.

Only numbers, operators and the functions below exist, and every step is bounded
in size, so no expression can take more than a moment.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping

MAX_CHARS = 300
MAX_BITS = 4096
"""Of a whole number: about 1,200 digits, more than anyone listens to."""
PERCENT = "percent_"
"""The function that ``5%`` is written as; no user can name it, for names have no underscore."""

Number = int | float


class ArithmeticProblem(ValueError):
    """The expression has no value; the message is a sentence for the user."""


_OPERATORS: Mapping[type[ast.AST], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: Mapping[str, Callable[[Number], Number]] = {
    "sqrt": math.sqrt,
    "abs": abs,
    "round": round,
    "floor": math.floor,
    "ceil": math.ceil,
    "ln": math.log,
    "log": math.log10,
    "exp": math.exp,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "percent": lambda x: x / 100,
    PERCENT: lambda x: x / 100,
}
_CONSTANTS: Mapping[str, Number] = {"pi": math.pi, "e": math.e}


def evaluate(expression: str) -> Number:
    """The value of an expression in Python's syntax, with ``percent_(x)`` for x%.

    Angles are radians; ``log`` is to base 10. Raises ArithmeticProblem.
    """
    if not expression.strip():
        raise ArithmeticProblem("There is nothing to calculate.")
    if len(expression) > MAX_CHARS:
        raise ArithmeticProblem("That is too long to calculate.")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        return _bounded(_value(tree.body))
    except ZeroDivisionError:
        raise ArithmeticProblem("That divides by zero.") from None
    except OverflowError:
        raise ArithmeticProblem("The result is too large.") from None
    except ArithmeticProblem:
        raise
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ArithmeticProblem("That is not something I can calculate.") from None


def _value(node: ast.AST) -> Number:
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return _bounded(value)
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_value(left), _value(right))
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right) if _is_percent(
            right
        ):
            # "200 plus 10 percent" is 220, as on every pocket calculator.
            base = _value(left)
            return _bounded(_OPERATORS[type(op)](base, base * _value(right)))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](_value(left), _value(right)))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](_value(argument)))
        case ast.Call(
            func=ast.Name(id="min" | "max" as name), args=[_, *_] as arguments, keywords=[]
        ):
            values = [_value(argument) for argument in arguments]
            return min(values) if name == "min" else max(values)
    raise ArithmeticProblem("That is not something I can calculate.")


def _is_percent(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == PERCENT
    )


def _power(base: Number, exponent: Number) -> Number:
    """``base ** exponent`` where its size can be told before it is computed."""
    if isinstance(base, int) and isinstance(exponent, int):
        if exponent > 0 and base.bit_length() * exponent > 2 * MAX_BITS:
            raise ArithmeticProblem("The result is too large.")
        if exponent < -MAX_BITS:
            return _bounded(float(base) ** exponent)
    result = base**exponent
    if isinstance(result, complex):
        raise ArithmeticProblem("That has no real result.")
    return _bounded(result)


def _bounded(value: Number) -> Number:
    if isinstance(value, int):
        too_large = value.bit_length() > MAX_BITS
    else:
        too_large = not math.isfinite(value)
    if too_large:
        raise ArithmeticProblem("The result is too large.")
    return value
