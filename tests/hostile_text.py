"""Text that makes careless patterns slow, read by whatever reads text of models and users.

Run as a program, ``python -m tests.hostile_text READER``, it reads everything with one reader.
The kernel ends it when one text takes longer than ``_LIMIT_S`` of processor time, which a busy
machine does not use up; the last line it has written says which text that was.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

from omni_agent_calculator.arithmetic import ArithmeticProblem, evaluate
from omni_agent_calculator.spoken import as_expression

from omni_agent import text
from omni_agent.conversation import user
from omni_agent.engines.local import guards, tool_calls
from omni_agent.engines.qwen3_omni.hermes import HermesParser
from omni_agent.engines.remote import arguments, markup
from omni_agent.engines.remote.content import Content
from omni_agent.errors import EngineError, PersonaError
from omni_agent.hearing.echo import is_echo
from omni_agent.hearing.manners import manners_in
from omni_agent.hearing.words import languages as heard_languages
from omni_agent.markdown import no_markdown, sayable
from omni_agent.personas import files
from omni_agent.saying import languages, phrasing, saying
from omni_agent.saying.clauses import ClauseSplitter
from omni_agent.streams import first_words, one
from omni_agent.thinker import ToolCallRequest, ToolSchema

_LIMIT_S = 1.0
"""Processor time for one text, which takes a hundredth of it when the work grows with its length.
Those that failed took 3 to 20 s."""

_TOOL = ToolSchema("f", "", {"properties": {"a": {"type": "string"}}})
_OPENINGS = ("", "<a b=", "<a", "<think>", "<tool_call>", "<function=f>", "f(", "f ", '{"name": "')
_UNITS = (
    *"<[`|{(\"'\\>*_~#&!.,;:-/$%1 \t\na🙂你\u200d",
    "```", "```json", "``` ", "~~~\n", "<pad>", "<s>", "</s>", "<think>", "</think>", "<|", "<|a",
    "<think></think>", "<tool_call>", "<tool_call></tool_call>", "<|a|>", "<｜a｜>", "[TOOL_CALLS]",
    "◁", "<<SYS>>", '{"a":', '{"name": "f"}', "[]", "<a b=", "<b>", "</b>", "< ", "![](", "[a](",
    "[a]", "[^", "](", "|a", "|-", "> ", "# ", "- ", "- [ ] ", "&#", "&amp;", "*a", "_a", "a_",
    "https://", "http://a/", "www.", "a@", "a.", "A. ", "\n ", "\n\n", "<parameter=",
    "</parameter>", "<parameter=a>", "<parameter=a></parameter>", "<arg_key>", "a>", "a:1",
    "<arg_key>a</arg_key>", "<arg_key>a</arg_key><arg_value>", "<function=", "<function=f>",
    "[CALL_ID]", "[CALL_ID]a",
    "[ARGS]", "1,", "1.", "1-", "1/", "1:", "$1", "1 ", "12 - ", "1=", "ab ba. ", "bye ", "and ",
    "no ", "mm ", "ok, ", "what ", "is it ", "a=", "a=1, ", "f(", '\\"', "\ud83d",
)  # fmt: skip


_PAIRS = (
    ("<function=f>", "<parameter=a>"), ("<function=f>", "<parameter=a>x"),
    ("f", "<arg_key>"), ("f", "<arg_key>a</arg_key><arg_value>"),
)  # fmt: skip


def texts(size: int) -> Iterator[tuple[str, str]]:
    """What each is, and about ``size`` characters of it."""
    crossed = [(begin, unit) for unit in _UNITS if len(unit) == 1 for begin in _OPENINGS]
    alone = [("", unit) for unit in _UNITS if len(unit) > 1]
    for begin, unit in (*crossed, *alone, *_PAIRS):
        yield f"{begin!r} + {unit!r} …", f"{begin}{unit * (size // len(unit))} x"
    for unit in _UNITS:
        yield f"{unit!r} inside a word", f"a{unit * (size // len(unit))}a"


def _filtered(text_filter: text.TextFilter) -> Callable[[str], None]:
    async def read(written: str) -> None:
        pieces: AsyncIterator[str] = text_filter(one(written))
        async for _ in pieces:
            pass

    return lambda written: asyncio.run(read(written))


def _content(written: str) -> None:
    for habits in (set[str](), {"unopened"}):
        content = Content({"f": _TOOL}, habits)
        try:
            list(content.push(written))
        except EngineError:  # a call without end
            return
        list(content.finish())


def _manners(written: str) -> None:
    for language in heard_languages():
        manners = manners_in(language)
        for asks in (
            manners.is_backchannel, manners.is_patience, manners.is_hum, manners.is_command,
            manners.is_unfinished, manners.is_question, manners.is_farewell, manners.consents,
        ):  # fmt: skip
            asks(written)
        manners.is_farewell("Bye.", written)


def _arguments(written: str) -> None:
    with suppress(ValueError):
        arguments.arguments(written)


def _hermes(written: str) -> None:
    parser = HermesParser()
    parser.feed(written)
    parser.finish(cut=False)


def _calls(written: str) -> None:
    parser = tool_calls.CallParser([_TOOL])
    parser.feed(written)
    parser.finish()


def _guards(written: str) -> None:
    call = ToolCallRequest("1", "f", {"a": written})
    guards.invented(call, _TOOL, [user(" ".join(map(str, range(2000))))])
    guards.mistimed(call, _TOOL, [user(written)])


def _persona(written: str) -> None:
    for begin in ("", "# a"):
        with suppress(PersonaError):
            front = f"---\nname: A\n---\n{begin}{written}"
            files._parse(front.encode("utf-8", "replace"), Path("a.md"))


def _saying(language: str) -> Callable[[str], object]:
    known = saying(language)
    assert known is not None
    return known.say


def _calculation(written: str) -> None:
    with suppress(ArithmeticProblem):
        evaluate(as_expression(written))


async def _begun(written: str) -> None:
    async def letters() -> AsyncIterator[str]:
        for letter in written:
            yield letter

    await first_words(letters())


READERS: dict[str, tuple[int, Callable[[str], object]]] = {
    "sayable": (16_000, _filtered(sayable)),
    "no_markdown": (16_000, _filtered(no_markdown)),
    "profanity": (16_000, _filtered(text.profanity)),
    "content": (16_000, _content),
    "markup": (80_000, lambda written: markup.calls(written, {"f": _TOOL})),
    "arguments": (16_000, _arguments),
    "hermes": (4000, _hermes),
    "local calls": (4000, _calls),
    "clauses": (4000, lambda written: ClauseSplitter(phrasing("en")).push(written)),
    **{
        f"saying {path.stem}": (400, _saying(path.stem))  # a clause is no longer
        for path in Path(languages.__file__).parent.glob("[a-z]*.py")
    },
    "manners": (4000, _manners),
    "echo": (4000, lambda written: is_echo(written, written)),
    "guards": (4000, _guards),
    "persona": (16_000, _persona),
    "calculation": (16_000, _calculation),
    "first words": (80_000, lambda written: asyncio.run(_begun(written))),
}
"""How much of a text comes at once at the most, and what reads it."""


def main(reader: str) -> None:
    size, read = READERS[reader]
    for what, written in texts(size):
        print(what, flush=True)
        signal.setitimer(signal.ITIMER_VIRTUAL, _LIMIT_S)
        read(written)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    print("all read")


if __name__ == "__main__":
    main(sys.argv[1])
