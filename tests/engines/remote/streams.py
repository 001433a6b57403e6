"""What OpenAI-compatible servers are known to send, and what is to be understood.

Each stream is written after a family's documented or reported behaviour. Pieces of one
TCP segment each where that matters.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from omni_agent.thinker import (
    MalformedCall,
    ReasoningDelta,
    TextDelta,
    Thought,
    ToolCallRequest,
    ToolSchema,
)


def tool(name: str, **types: str) -> ToolSchema:
    properties = {key: {"type": kind} for key, kind in types.items()}
    return ToolSchema(name, "", {"type": "object", "properties": properties})


TOOLS = (
    tool("get_weather", city="string", days="integer"),
    tool("set_timer", minutes="integer", label="string"),
    tool("now"),
)


@dataclass(frozen=True)
class Stream:
    """body: what is sent. thoughts: joined; calls have no id. fails: part of the reason."""

    name: str
    body: bytes
    thoughts: Sequence[Thought] = ()
    fails: str = ""
    status: int = 200
    kind: str = "text/event-stream"


def says(text: str) -> Thought:
    return TextDelta(text)


def thinks(text: str) -> Thought:
    return ReasoningDelta(text)


def calls(name: str, **arguments: Any) -> Thought:
    return ToolCallRequest("", name, arguments)


def bad(raw: str, reason: str) -> Thought:
    """A call that is not made."""
    return MalformedCall(raw, reason)


def lines(*chunks: Any, done: bool = True, end: str = "\n\n") -> bytes:
    written = [c if isinstance(c, str) else json.dumps(c, ensure_ascii=False) for c in chunks]
    return "".join(f"data: {c}{end}" for c in [*written, *(["[DONE]"] if done else [])]).encode()


def delta(finish: Any = None, /, **fields: Any) -> dict[str, Any]:
    return {"id": "x", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def piece(finish: Any = None, /, **fields: Any) -> dict[str, Any]:
    """A delta of one ``tool_calls`` entry; name and arguments go into its function."""
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    return delta(finish, tool_calls=[{**fields, "function": function}])


def content(*texts: Any) -> bytes:
    """Content deltas and an ordinary end."""
    return lines(*(delta(content=text) for text in texts), delta("stop"))


ROLE = delta(role="assistant", content="")
CALLED, STOP = delta("tool_calls"), delta("stop")
PARIS, OSLO = '{"city": "Paris"}', '{"city": "Oslo"}'
BOTH = (calls("get_weather", city="Paris"), calls("get_weather", city="Oslo"))
IN_PARIS = (BOTH[0],)
HALF_EMOJI, OTHER_HALF = (
    '{"choices":[{"delta":{"content":"Hi \\ud83d"}}]}',
    ('{"choices":[{"delta":{"content":"\\ude00!"}}]}'),
)
DEEPSEEK = (
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
    f"```json\n{PARIS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
)
KIMI = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
    f"<|tool_call_argument_begin|>{PARIS}<|tool_call_end|><|tool_calls_section_end|>"
)
QWEN_CODER = (
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n"
    "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
)
GLM = (
    "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>42</arg_value>\n"
    "<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>"
)
HERMES = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'

STREAMS = [
    # -- as OpenAI has it ----------------------------------------------------------------
    Stream(
        "OpenAI: text, a role first, usage in a last chunk without choices",
        lines(ROLE, delta(content="Hi"), delta(content="."), STOP, {"choices": [], "usage": {}}),
        [says("Hi.")],
    ),
    Stream(
        "OpenAI: parallel calls, told apart by index",
        lines(
            delta(role="assistant", content=None),
            piece(index=0, id="call_a", type="function", name="get_weather", arguments=""),
            piece(index=0, arguments='{"city"'),
            piece(index=0, arguments=': "Paris"}'),
            piece(index=1, id="call_b", type="function", name="get_weather", arguments=""),
            piece(index=1, arguments=OSLO),
            CALLED,
        ),
        BOTH,
    ),
    Stream(
        "OpenAI: a refusal instead of content",
        lines(
            delta(role="assistant", content=None, refusal=None),
            delta(refusal="I can't "),
            delta(refusal="help with that."),
            STOP,
        ),
        [says("I can't help with that.")],
    ),
    Stream(
        "OpenAI: the old function_call",
        lines(
            delta(function_call={"name": "get_weather", "arguments": ""}),
            delta(function_call={"arguments": '{"city": '}),
            delta(function_call={"arguments": '"Paris"}'}),
            delta("function_call"),
        ),
        IN_PARIS,
    ),
    Stream(
        "OpenAI: content filter after some words",
        lines(delta(content="Well, "), delta("content_filter")),
        [says("Well, ")],
    ),
    Stream("OpenAI: nothing passes the content filter", lines(ROLE, delta("content_filter"))),
    Stream(
        "OpenAI: an error in the stream",
        lines({"error": {"message": "The server had an error", "type": "server_error"}}),
        fails="the server failed: The server had an error",
    ),
    Stream(
        "Azure: filter results before the first choice, and behind the last",
        lines(
            {"choices": [], "prompt_filter_results": [{"prompt_index": 0}]},
            ROLE,
            delta(content="Hi."),
            {"choices": [{"index": 0, "finish_reason": "stop", "delta": {}}]},
            {"choices": [{"index": 0, "content_filter_offsets": {}, "finish_reason": None}]},
        ),
        [says("Hi.")],
    ),
    # -- how calls are numbered, named and written ---------------------------------------
    Stream(
        "Gemini: parallel calls whole, all of index 0, without ids",
        lines(
            piece(index=0, id="", name="get_weather", arguments=PARIS, type="function"),
            piece(index=0, id="", name="get_weather", arguments=OSLO, type="function"),
            STOP,
        ),
        BOTH,
    ),
    Stream(
        "Gemini: two tools at index 0 without ids",
        lines(
            piece(index=0, name="now", arguments="{}"),
            piece(index=0, name="get_weather", arguments=PARIS),
            STOP,
        ),
        [calls("now"), *IN_PARIS],
    ),
    Stream(
        "Gemini through a proxy: parallel arguments run together in one call",
        lines(piece(index=0, name="get_weather", arguments=PARIS + OSLO), STOP),
        BOTH,
    ),
    Stream(
        "Ollama: index 0 for all, ids, arguments whole, finish_reason stop",
        lines(
            piece(index=0, id="call_1", name="get_weather", arguments=PARIS),
            piece(index=0, id="call_2", name="get_weather", arguments=OSLO),
            STOP,
        ),
        BOTH,
    ),
    Stream(
        "Ollama before 0.4.7: no index",
        lines(
            piece(id="call_1", name="get_weather", arguments=PARIS),
            piece(id="call_2", name="get_weather", arguments=OSLO),
            STOP,
        ),
        BOTH,
    ),
    Stream(
        "mistral.rs: calls of one delta, no index, no ids",
        lines(
            delta(
                "tool_calls",
                tool_calls=[
                    {"function": {"name": "get_weather", "arguments": PARIS}},
                    {"function": {"name": "get_weather", "arguments": OSLO}},
                ],
            )
        ),
        BOTH,
    ),
    Stream(
        "LMDeploy: index 0 for all, the id empty after the first piece",
        lines(
            piece(index=0, id="chatcmpl-tool-1", name="get_weather", arguments=""),
            piece(index=0, id="", arguments=PARIS),
            piece(index=0, id="chatcmpl-tool-2", name="get_weather", arguments=""),
            piece(index=0, id="", arguments=OSLO),
            CALLED,
        ),
        BOTH,
    ),
    Stream(
        "SGLang: ids count from 0 and come with every piece",
        lines(
            piece(index=0, id="0", name="get_weather", arguments=""),
            piece(index=0, id="0", name=None, arguments='{"city": "Par'),
            piece(index=0, id="0", name=None, arguments='is"}'),
            piece(index=0, id="1", name="get_weather", arguments=""),
            piece(index=0, id="1", name=None, arguments=OSLO),
            CALLED,
        ),
        BOTH,
    ),
    Stream(
        "vLLM: another id with every piece of one call",
        lines(
            piece(index=0, id="chatcmpl-tool-1", name="get_weather"),
            piece(index=0, id="chatcmpl-tool-2", arguments='{"city": '),
            piece(index=0, id="chatcmpl-tool-3", arguments='"Paris"}'),
            CALLED,
        ),
        IN_PARIS,
    ),
    Stream(
        "Together: the name again with every piece",
        lines(
            piece(index=0, id="c", name="get_weather", arguments='{"city"'),
            piece(index=0, id="c", name="get_weather", arguments=': "Paris"}'),
            piece(index=0, id="c", name="get_weather", arguments=""),
            CALLED,
        ),
        IN_PARIS,
    ),
    Stream(
        "a name in pieces",
        lines(
            piece(index=0, id="c", name="get_", arguments=""),
            piece(index=0, name="weather", arguments=""),
            piece(index=0, arguments=PARIS),
            CALLED,
        ),
        IN_PARIS,
    ),
    Stream(
        "a proxy: the index as a string, ids null, a null list between",
        lines(
            delta(content=None, tool_calls=None),
            piece(index="0", id=None, name="now", arguments="{}"),
            piece(index="1", id=None, name="get_weather", arguments=PARIS),
            CALLED,
        ),
        [calls("now"), *IN_PARIS],
    ),
    Stream(
        "TGI: one call that is no list, its arguments an object",
        lines(
            delta(
                "stop",
                tool_calls={
                    "index": 0,
                    "id": "",
                    "function": {"name": "get_weather", "arguments": {"city": "Paris"}},
                },
            )
        ),
        IN_PARIS,
    ),
    Stream(
        "no arguments as an empty string",
        lines(piece(index=0, id="c", name="now", arguments=""), CALLED),
        [calls("now")],
    ),
    Stream(
        'no arguments as "null"',
        lines(piece(index=0, id="c", name="now", arguments="null"), CALLED),
        [calls("now")],
    ),
    Stream(
        "no arguments as a list (PHP's empty array)",
        lines(piece(index=0, id="c", name="now", arguments="[]"), CALLED),
        [calls("now")],
    ),
    Stream(
        "arguments encoded twice",
        lines(piece(index=0, id="c", name="get_weather", arguments=json.dumps(PARIS)), CALLED),
        IN_PARIS,
    ),
    Stream(
        "LiteLLM before Anthropic: an empty object before the arguments",
        lines(
            piece(index=0, id="toolu_1", name="get_weather", arguments="{}"),
            piece(index=0, arguments=PARIS),
            CALLED,
        ),
        IN_PARIS,
    ),
    Stream(
        "the whole arguments again at the end",
        lines(
            piece(index=0, id="c", name="get_weather", arguments=PARIS[:8]),
            piece(index=0, arguments=PARIS[8:]),
            piece(index=0, arguments=PARIS),
            CALLED,
        ),
        IN_PARIS,
    ),
    Stream(
        "arguments cut inside an escape",
        lines(
            piece(index=0, id="c", name="set_timer", arguments='{"label": "a\\'),
            piece(index=0, arguments="n\\u00"),
            piece(index=0, arguments="e9 \\ud83d"),
            piece(index=0, arguments='\\ude00"}'),
            CALLED,
        ),
        [calls("set_timer", label="a\né 😀")],
    ),
    Stream(
        "half a character in the arguments",
        lines(piece(index=0, id="c", name="set_timer", arguments='{"label": "\\ud83d"}'), CALLED),
        [calls("set_timer", label="\ufffd")],
    ),
    Stream(
        "NaN in the arguments, which no later request could send back",
        lines(piece(index=0, id="c", name="set_timer", arguments='{"minutes": NaN}'), CALLED),
        [bad('set_timer({"minutes": NaN})', "arguments cannot be read: NaN is not JSON")],
    ),
    Stream(
        "a special token behind the arguments",
        lines(piece(index=0, id="c", name="get_weather", arguments=PARIS + "<|im_end|>"), CALLED),
        IN_PARIS,
    ),
    Stream(
        "a call that the token limit cut",
        lines(
            piece(index=0, id="c", name="get_weather", arguments='{"city": "Pa'), delta("length")
        ),
        [bad('get_weather({"city": "Pa)', "the reply was cut off")],
    ),
    Stream(
        "the line closed within a call",
        lines(piece(index=0, id="c", name="get_weather", arguments='{"city"'), done=False),
        [bad('get_weather({"city")', "the reply was cut off")],
    ),
    Stream(
        "the line closed behind a name",
        lines(piece(index=0, id="c", name="now", arguments=""), done=False),
        [bad("now()", "the reply was cut off")],
    ),
    # -- reasoning -----------------------------------------------------------------------
    Stream(
        "DeepSeek: reasoning_content, content null meanwhile",
        lines(
            delta(role="assistant", content=None, reasoning_content=""),
            delta(content=None, reasoning_content="Hm."),
            delta(content="Yes.", reasoning_content=None),
            delta("stop", content="", reasoning_content=None),
        ),
        [thinks("Hm."), says("Yes.")],
    ),
    Stream(
        "OpenRouter, Groq, Ollama: reasoning, in detail as well",
        lines(
            delta(content="", reasoning="Hm.", reasoning_details=[{"text": "Hm."}]),
            delta(content="Yes.", reasoning=None),
            STOP,
        ),
        [thinks("Hm."), says("Yes.")],
    ),
    Stream(
        "vLLM: both names for it",
        lines(delta(reasoning="Hm.", reasoning_content="Hm."), delta(content="Yes."), STOP),
        [thinks("Hm."), says("Yes.")],
    ),
    Stream(
        "LM Studio: <think> in the content, cut anywhere",
        content("<th", "ink>H", "m.</thi", "nk>\n\nYes."),
        [thinks("Hm."), says("Yes.")],
    ),
    Stream(
        "llama.cpp: a template that thinks nothing",
        content("<think>", "\n\n", "</think>", "\n\n", "Yes."),
        [thinks("\n\n"), says("Yes.")],
    ),
    Stream(
        "R1 without a parser: only the end of reasoning is marked",
        content("Hm. ", "\n</think>\n\nYes."),
        [says("Hm. \n\n\nYes.")],
    ),
    Stream(
        "Magistral: [THINK]",
        content("[THINK]Hm.[/THI", "NK]Yes."),
        [thinks("Hm."), says("Yes.")],
    ),
    Stream(
        "gpt-oss without a parser",
        content(
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant",
            "<|channel|>final<|message|>Yes.<|return|>",
        ),
        [thinks("Hm."), says("Yes.")],
    ),
    # -- content -------------------------------------------------------------------------
    Stream(
        "Mistral: a list of parts, thinking and references among them",
        lines(
            delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]),
            delta(content=[{"type": "text", "text": "It is "}]),
            delta(content=[{"type": "reference", "reference_ids": [1]}]),
            delta(content="here."),
            STOP,
        ),
        [thinks("Hm."), says("It is here.")],
    ),
    Stream(
        "an Anthropic proxy: text parts beside a call",
        lines(
            delta(content=[{"type": "text", "text": "Let me look."}]),
            piece(index=1, id="toolu_1", name="get_weather", arguments=PARIS),
            delta("tool_use"),
        ),
        [says("Let me look."), *IN_PARIS],
    ),
    Stream(
        "an emoji as two halves in two deltas",
        lines(HALF_EMOJI, OTHER_HALF, STOP),
        [says("Hi 😀!")],
    ),
    Stream(
        "half an emoji, and nothing of the other",
        lines(HALF_EMOJI, STOP),
        [says("Hi \ufffd")],
    ),
    Stream(
        "llama.cpp: the end token left in the content, and the next turn behind it",
        content("Yes.", "<|im_", "end|>\n<|im_start|>user\nAnd ", "you?"),
        [says("Yes.")],
    ),
    Stream(
        "MLX, llama.cpp: Llama's tokens around the answer",
        content("<|start_header_id|>assistant<|end_header_id|>\n\nYes.<|eot_id|>"),
        [says("Yes.")],
    ),
    Stream(
        "tokens that nobody has heard of",
        content("Yes<|fim_pad|>, <｜place▁holder｜>sir.</s>"),
        [says("Yes, sir.")],
    ),
    Stream(
        "what only looks like a mark",
        content("1 < 2, a <b> and [TOOL", "BOX], `code` |> x <| y"),
        [says("1 < 2, a <b> and [TOOLBOX], `code` |> x <| y")],
    ),
    # -- calls in the content ------------------------------------------------------------
    Stream(
        "vLLM without --tool-call-parser: Hermes and Qwen",
        content("Let me look. ", "<tool", f"_call>{HERMES[11:30]}", HERMES[30:]),
        [says("Let me look. "), *IN_PARIS],
    ),
    Stream(
        "Hermes, two calls, the last not closed",
        content(HERMES + "\n" + HERMES.replace("Paris", "Oslo").removesuffix("\n</tool_call>")),
        BOTH,
    ),
    Stream(
        "SGLang without a parser: Qwen3-Coder",
        content(QWEN_CODER),
        [calls("get_weather", city="Paris", days=3)],
    ),
    Stream("GLM's keys and values", content(GLM), [calls("get_weather", city="42", days=3)]),
    Stream(
        "Mistral's [TOOL_CALLS] with a list",
        content("[TOOL_CA", 'LLS] [{"name": "get_weather", "arguments": ' + PARIS + "}]</s>"),
        IN_PARIS,
    ),
    Stream(
        "Mistral's [TOOL_CALLS] since 2025",
        content(f"[TOOL_CALLS]get_weather{PARIS}[TOOL_CALLS]get_weather[ARGS]{OSLO}"),
        BOTH,
    ),
    Stream(
        "Llama 3's <|python_tag|>",
        content('<|python_tag|>{"name": "get_weather", "parameters": ' + PARIS + "}<|eom_id|>"),
        IN_PARIS,
    ),
    Stream(
        "Llama 3's bare JSON, two calls",
        content(
            '{"type": "function", "name": "get_weather", "parameters": ' + PARIS,
            '}; {"name": "get_weather", "parameters": ' + OSLO + "}",
        ),
        BOTH,
    ),
    Stream(
        "Llama 3.1's <function=…>",
        content(f"<function=get_weather>{PARIS}</function>"),
        IN_PARIS,
    ),
    Stream(
        "Llama 4's Python",
        content("[get_wea", 'ther(city="Paris"), now()]'),
        [*IN_PARIS, calls("now")],
    ),
    Stream("DeepSeek's own tokens", content(DEEPSEEK), IN_PARIS),
    Stream("Kimi's own tokens", content(KIMI), IN_PARIS),
    Stream(
        "Phi's and Granite's <|tool_call|>",
        content('<|tool_call|>[{"name": "get_weather", "arguments": ' + PARIS + "}]<|/tool_call|>"),
        IN_PARIS,
    ),
    Stream(
        "a call in a fence",
        content("```js", 'on\n{"name": "get_weather", "arguments": ' + PARIS + "}\n`", "``"),
        IN_PARIS,
    ),
    Stream(
        "JSON in a fence that is no call",
        content('So: ```json\n{"name": "Ann"}\n``` is it.'),
        [says('So: ```json\n{"name": "Ann"}\n``` is it.')],
    ),
    Stream(
        "an answer that begins with a brace",
        content('{"a": 1} is JSON.'),
        [says('{"a": 1} is JSON.')],
    ),
    Stream(
        "vLLM: the call in the content and as a call",
        lines(
            delta(content=HERMES),
            piece(index=0, id="c", name="get_weather", arguments=PARIS),
            CALLED,
        ),
        IN_PARIS,
    ),
    Stream(
        "markup that cannot be read is neither said nor done",
        content("<tool_call>get the weather</tool_call>"),
        [bad("<tool_call>get the weather</tool_call>", "it cannot be read")],
    ),
    # -- how it comes over the line ------------------------------------------------------
    Stream(
        "OpenRouter: comments while it waits, usage beside the last choice",
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + content("Hi."),
        [says("Hi.")],
    ),
    Stream(
        "OpenRouter: an error in the middle, in a choice as well",
        lines(
            delta(content="Well, "),
            {
                "error": {"code": 502, "message": "Provider disconnected"},
                "choices": [{"delta": {"content": ""}, "finish_reason": "error"}],
            },
        ),
        fails="Provider disconnected",
    ),
    Stream("carriage returns and newlines", content("Hi.").replace(b"\n", b"\r\n"), [says("Hi.")]),
    Stream("carriage returns alone", content("Hi.").replace(b"\n", b"\r"), [says("Hi.")]),
    Stream("a byte order mark", b"\xef\xbb\xbf" + content("Hi."), [says("Hi.")]),
    Stream("no space after the colon", content("Hi.").replace(b"data: ", b"data:"), [says("Hi.")]),
    Stream("no blank lines", content("Hi", ".").replace(b"\n\n", b"\n"), [says("Hi.")]),
    Stream(
        "an event over several lines, with its name and id",
        b'event: message\nid: 7\nretry: 10\ndata: {"choices":\ndata: [{"delta":\n'
        b'data: {"content": "Hi."}}]}\n\n' + lines(STOP),
        [says("Hi.")],
    ),
    Stream("text in UTF-8", content("Grüß Gott, 你好 😀"), [says("Grüß Gott, 你好 😀")]),
    Stream("no [DONE]", lines(delta(content="Hi."), STOP, done=False), [says("Hi.")]),
    Stream(
        "no finish_reason but [DONE]",
        lines(piece(index=0, name="get_weather", arguments=PARIS)),
        IN_PARIS,
    ),
    Stream(
        "delta null, choices null, and a ping between",
        lines(
            {"choices": [{"delta": None, "finish_reason": None}]},
            {"choices": None},
            {"type": "ping"},
            delta(content="Hi."),
            STOP,
        ),
        [says("Hi.")],
    ),
    Stream(
        "an answer that is no stream",
        json.dumps(
            {
                "object": "chat.completion",
                "choices": [
                    {
                        "message": {
                            "role": "assistant",
                            "content": "Let me look.",
                            "tool_calls": [
                                {"id": "c", "function": {"name": "get_weather", "arguments": PARIS}}
                            ],
                        },
                        "finish_reason": "tool_calls",
                    }
                ],
            },
            indent=1,
        ).encode(),
        [says("Let me look."), *IN_PARIS],
        kind="application/json",
    ),
    Stream(
        "an error with HTTP 200 that is no stream",
        b'{"error": {"message": "model is busy"}}',
        fails="model is busy",
        kind="application/json",
    ),
    Stream(
        "vLLM: an error object",
        lines({"object": "error", "message": "out of memory", "code": 500}),
        fails="out of memory",
    ),
    Stream(
        "llama.cpp: an error as a field",
        b'error: {"code": 500, "message": "context is full"}\n\n',
        fails="context is full",
    ),
    Stream(
        "an event that is called an error",
        b'event: error\ndata: {"type": "error", "message": "overloaded"}\n\n',
        fails="overloaded",
    ),
    Stream("a page with HTTP 200", b"<html>Welcome</html>", fails="no stream", kind="text/html"),
    Stream(
        "a page with HTTP 502",
        b"<html>nginx</html>",
        fails="HTTP 502",
        status=502,
        kind="text/html",
    ),
    Stream("nothing at all", b"", fails="no stream"),
    Stream("nothing but the end", b"data: [DONE]\n\n", fails="empty reply"),
    Stream("comments and nothing else", b": ping\n\n: ping\n\n", fails="no stream"),
    Stream("what is not JSON", b"data: Internal Server Error\n\n", fails="not JSON"),
    Stream("a number where a chunk belongs", b"data: 7\n\n", fails="int where a chunk"),
]
