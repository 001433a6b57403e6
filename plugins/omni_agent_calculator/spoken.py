"""Between speech and arithmetic: "twelve times seven" in, "84" out."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from omni_agent_calculator.arithmetic import MAX_CHARS, PERCENT, ArithmeticProblem, Number

_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_VALUES = {word: value for value, word in enumerate(_UNITS.split())}
_VALUES |= {word: 10 * value for value, word in enumerate(_TENS.split(), start=2)}
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9}

_PHRASES: Sequence[tuple[str, str]] = (
    (r"\bto the power of\b|\braised to\b|\bto the power\b|\^", "**"),
    (r"\bmultiplied by\b|\btimes\b|[×·]", "*"),
    (r"\bdivided by\b|\bover\b|÷", "/"),
    (r"\bplus\b|\bsum of\b", "+"),
    (r"\bminus\b|\bless\b|[−–]", "-"),
    (r"\bsquared\b", "**2"),
    (r"\bcubed\b", "**3"),
    (r"\bsquare root(?: of)?\b|√", "sqrt "),
    (r"\bper ?cent\b", "%"),
    (r"\bhalf of\b", "0.5 *"),
    (r"\btwice\b|\bdouble\b", "2 *"),
    (r"\bmodulo\b|\bmod\b", " mod "),
    (r"(?<=\d)\s*[x]\s*(?=\d|\()", "*"),
    (r"[=?!]+\s*$", ""),
    (r"[$€£]", ""),
    (r"\b(?:what(?:'s| is| are)|how much (?:is|are)|calculate|compute)\b", ""),
    (r"\b(?:equals?|please|the|answer)\b", ""),
)
_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d[\d,_]*(?:\.\d+)?(?:e[+-]?\d+)?|\.\d+)|(?P<word>[a-z]+)|(?P<mark>\*\*|//|[-+*/%(),]))"
)


def as_expression(said: str) -> str:
    """What was said or written as an expression in Python's syntax.

    Words become digits and operators, ``1,000`` a number, ``5%`` becomes
    ``percent_(5)`` unless a number follows (then it is the remainder). Raises
    ArithmeticProblem for characters that no arithmetic has.
    """
    if len(said) > MAX_CHARS:  # the patterns take time that grows with its square
        raise ArithmeticProblem("That is too long to calculate.")
    text = said.strip().lower()
    for pattern, replacement in _PHRASES:
        text = re.sub(pattern, f" {replacement} " if replacement else "", text)
    tokens = _tokens(text)
    if tokens is None:
        raise ArithmeticProblem("That is not something I can calculate.")
    return " ".join(_with_roots(_with_percents(_with_numbers(tokens))))


def _tokens(text: str) -> list[str] | None:
    tokens: list[str] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            return None
        position = match.end()
        token = match.group().strip()
        if match["number"]:
            # Grouping commas: "1,000" is one number, "max(1,2)" has two.
            grouped = re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", token)
            if "," in token and not grouped:
                first, rest = token.split(",", 1)
                position -= len(rest) + 1
                token = first
            digits = token.replace(",", "").replace("_", "")
            token = re.sub(r"^0+(?=\d)", "", digits)
        tokens.append(token)
    return tokens


def _with_numbers(tokens: list[str]) -> list[str]:
    """ "two hundred and five point one" as 205.1; hyphens inside number words vanish."""
    found: list[str] = []
    at = 0
    while at < len(tokens):
        if tokens[at] not in _VALUES and not _scales(tokens, at):
            found.append("%%" if tokens[at] == "mod" else tokens[at])
            at += 1
            continue
        number, at = _number(tokens, at)
        found.append(number)
    return found


def _scales(tokens: list[str], at: int) -> bool:
    """Whether the token is a digit number that a scale word follows: "3 million"."""
    follows = at + 1 < len(tokens) and tokens[at + 1] in _SCALES
    return follows and tokens[at].replace(".", "", 1).isdigit()


def _number(tokens: list[str], at: int) -> tuple[str, int]:
    total: Number = 0
    group: Number = 0
    last_value = 0
    while at < len(tokens):
        token = tokens[at]
        if token in _VALUES:
            tens_before = 20 <= last_value < 100 and 0 < _VALUES[token] < 10
            if last_value and not tens_before and group % 100:
                break  # "five six" is no number
            group += _VALUES[token]
            last_value = _VALUES[token]
        elif token in _SCALES:
            group = (group or 1) * _SCALES[token]
            if _SCALES[token] > 100:
                total, group = total + group, 0
            last_value = 0
        elif token.replace(".", "", 1).isdigit() and not group and _scales(tokens, at):
            group = float(token) if "." in token else int(token)
        elif not _joins(tokens, at, last_value):
            break
        at += 1
    decimals = ""
    if at < len(tokens) and tokens[at] == "point":
        while at + 1 < len(tokens) and _VALUES.get(tokens[at + 1], 10) < 10:
            at += 1
            decimals += str(_VALUES[tokens[at]])
        at += 1 if decimals else 0
    value = total + group
    whole = str(int(value)) if value == int(value) else repr(value)
    return (f"{whole}.{decimals}" if decimals else whole), at


def _joins(tokens: list[str], at: int, last_value: int) -> bool:
    """Whether "and" or a hyphen stands inside a number: hundred and five, twenty-one."""
    following = _VALUES.get(tokens[at + 1], -1) if at + 1 < len(tokens) else -1
    if tokens[at] == "and":
        return following >= 0 and not last_value
    return tokens[at] == "-" and last_value >= 20 and 0 < following < 10


def _with_percents(tokens: list[str]) -> list[str]:
    found: list[str] = []
    for at, token in enumerate(tokens):
        following = tokens[at + 1] if at + 1 < len(tokens) else ""
        if token == "%%":
            found.append("%")
        elif token == "%" and following in ("", "of", "+", "-", "*", "/", "//", "**", ")", ","):
            operand = _pop_operand(found)
            found += [PERCENT, "(", *operand, ")"]
        elif token == "of" and found and found[-1] == ")":
            found.append("*")
        else:
            found.append(token)
    return found


def _pop_operand(tokens: list[str]) -> list[str]:
    """Take the number or bracket that ends a list of tokens."""
    if not tokens:
        return []
    start = len(tokens) - 1
    depth = 0
    while tokens[start] == ")" or depth:
        depth += {")": 1, "(": -1}.get(tokens[start], 0)
        if depth == 0 or start == 0:
            break
        start -= 1
    operand = tokens[start:]
    del tokens[start:]
    return operand


def _with_roots(tokens: list[str]) -> list[str]:
    """ "sqrt 16" as sqrt(16)."""
    found: list[str] = []
    close = False
    for token in tokens:
        if found and found[-1] == "sqrt" and token != "(":
            found.append("(")
            close = True
        found.append(token)
        if close and token not in ("(", "+", "-"):
            found.append(")")
            close = False
    return found


def as_words(value: Number) -> str:
    """A number as one says it: whole when it is, else rounded to four decimals or digits."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, int):
        if abs(value) < 10**15:
            return _signed(str(abs(value)), value)
        digits = str(abs(value))
        return _power_of_ten(float(f"{digits[0]}.{digits[1:4]}"), len(digits) - 1, value)
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-6:
        exponent = math.floor(math.log10(size))
        return _power_of_ten(float(f"{size:.3e}".split("e", 1)[0]), exponent, value)
    rounded = f"{size:.4f}" if size >= 1 else f"{size:.{4 - math.floor(math.log10(size)) - 1}f}"
    shown = rounded.rstrip("0").rstrip(".")
    about = "" if math.isclose(float(shown), size, rel_tol=1e-12) else "about "
    return about + _signed(shown, value)


def _signed(digits: str, value: Number) -> str:
    return f"minus {digits}" if value < 0 else digits


def _power_of_ten(mantissa: float, exponent: int, value: Number) -> str:
    shown = f"{mantissa:g} times 10 to the power of {_signed(str(abs(exponent)), exponent)}"
    return "about " + _signed(shown, value)
