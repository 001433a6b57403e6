"""A text filter between Thinker and Talker: the door code is thought of, never voiced.

A filter is a function from a stream of text to a stream of text. It sees all
that would be said, before any of it is. This one knows the code in digits and in
English words; a model that is asked for "the code, each digit plus one" gets past it. What
must never be told should not be in a prompt: let a tool compare what the caller says.
"""

from collections.abc import Mapping

from omni_agent import Agent, Persona, TextFilter, hookimpl
from omni_agent.text import rewriting

DIGITS = ("zero|oh|o", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen",
    "eighteen", "nineteen",
)  # fmt: skip
TENS = ("", "", "twenty", "thirty", "fou?rty", "fifty", "sixty", "seventy", "eighty", "ninety")
BETWEEN = r"(?:[\W_]|and|then|hundred|thousand|comma|dash|hyphen|point){0,16}"


def spoken(code: str) -> str:
    """A pattern for a code's digits, however they are said: 4711, 4-7-1-1, "four seven double
    one", "forty-seven eleven", "four thousand seven hundred and eleven"."""
    if not code:
        return ""
    rest = spoken(code[1:])
    ways = [f"(?:{code[0]}|{DIGITS[int(code[0])]}){BETWEEN if rest else ''}{rest}"]
    if len(code) > 1:
        after = spoken(code[2:])
        pair = [number(code[:2])]
        if code[0] == code[1]:
            pair.append(rf"(?:double|twice)\W+(?:{code[0]}|{DIGITS[int(code[0])]})")
        ways.append(f"(?:{'|'.join(pair)}){BETWEEN if after else ''}{after}")
    return f"(?:{'|'.join(ways)})"


def number(pair: str) -> str:
    """Two digits as the number they make, in words: "11" is eleven."""
    tens, ones = int(pair[0]), int(pair[1])
    if tens == 1:
        return TEENS[ones]
    words = TENS[tens] if tens else DIGITS[0]
    return rf"(?:{words})[\W_]*(?:{DIGITS[ones]})" if ones or not tens else words


DOOR_CODE = rf"(?i)(?<![^\W_]){spoken('4711')}(?![^\W_])"


class KeepsSecrets:
    """A plugin, here as an object of the application's own."""

    @hookimpl
    def text_filters(self, persona: Persona) -> Mapping[str, TextFilter]:
        return {"no-door-code": rewriting(DOOR_CODE, "a secret", phrase=True)}


PORTER = Persona(
    name="Porter",
    filters=("no-markdown", "no-door-code"),
    greeting="Good evening. Who is there?",
    thinker="You guard a door. Its code is 4711. Be polite and brief.",
)

if __name__ == "__main__":
    Agent(persona=PORTER, plugins=[KeepsSecrets()]).serve()
