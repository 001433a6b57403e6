"""What words mean for who speaks: listening noises, goodbyes, sentences that hang.

The tables are English. Each is data: one place to write another language beside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 200
"""Characters that are looked at: a goodbye or a noise is shorter, how a sentence ends is, too.
What a client types has no such end, and these patterns take time that grows with its square."""

_HUM = r"m+[\s-]*h*m+|u+h+[\s-]*huh|h+m+|mhm|ah+|oh+|aha+"
_ACKNOWLEDGED = r"ok|okay|all right|alright|sure|i see|got it|fine|thanks|thank you|go on"
_BACKCHANNEL = re.compile(
    rf"(?:{_HUM}|{_ACKNOWLEDGED}|yeah|yep|yes|yup|right|wow|cool|nice|great|really|true|exactly)"
)
_PATIENT = re.compile(rf"(?:{_HUM}|{_ACKNOWLEDGED})")
_HUMMED = re.compile(rf"(?:{_HUM})")

_COMMANDS = re.compile(r"(?:no|stop|wait|help|quiet|enough|hold on|shut up|be quiet)")

_HANGING = re.compile(
    r"(?:"
    r"\b(?:and|or|but|because|the|a|an|my|your|our|their|if|um+|uh+|er+|every|than)"
    r"|\b(?:to|of|for|with|in|at|on|by|from|about|into)"
    r"|(?:^|[,;.] *|\band )so"
    r"|(?:^|[,;.] *|\b(?:and|but) )then"
    r"|(?:\bwould|'d|\bsomething|\b(?:look|sound|feel)s?|\bit's) like|^like"
    r"|\b(?:think|thinks|said|say|believe|heard|tell me|told me|remind me|make sure) that"
    r"|(?:^|[,;.] *|\b(?:and|so|but) )(?:i|we) (?:\w+ly )?(?:want|need)"
    r"|(?:^|[,;.] *|\b(?:and|please) )(?:can|could|would|will) you(?: please)?"
    r"|(?:^|[,;.] *)please (?:set|tell|call|send|play|turn|remind|book)"
    r"|\b(?:is|are|am|was|were)"
    r"|,|\.\.\.|…|-"
    r")$"
)
"""A sentence that ends so goes on …"""
_WHOLE = tuple(
    re.compile(pattern)
    for pattern in (
        # "What is that for?", "nothing to be afraid of": what the preposition belongs to came first
        r"\b(?:what|who|whom|which|where|how|nothing|anything|something|all|everything)\b"
        r"(?! about).* (?:to|of|for|with|in|at|on|by|from|about|into)[.?!]+$",
        # "turn the kitchen light on": a verb's own particle, after what is turned
        r"\b(?:turn|turned|switch|switched|put|leave|left|keep|have|get|try) (?!on\b)[\w' ]+ on"
        r"[.?!]*$",
        # "log me in", "count us in", "come on in"
        r"\b(?:log|sign|check|let|count|come|plug|fill|move|bring|call|put|take)(?: on)?"
        r"(?: it| me| us| him| her| them| that| this)? in[.?!]*$",
        r"\b(?:hold|come|go|carry|move|read|hang|drive|later|and so|so) on[.?!]*$",
        # "I don't want to.", "I'd love to."
        r"(?:n't|n’t|\bnot|\bnever)(?: really)? (?:want|need|have|like|wish|mean|plan) to[.!]+$",
        r"\b(?:love|happy|glad|like) to[.!]+$",
        # "Yes, it is.", "what time it is", "Who are they?", "I think she was."
        r"\b(?:yes|no|yeah|what|how|who|where|when|why|think|sure|know|say|as|than)\b.*"
        r"\b(?:i|he|she|it|we|you|they|that|there|this) (?:is|are|am|was|were)[.?!]*$",
    )
)
"""… unless it is one of these."""

# One way to read each text: what can be read in two doubles the work with every repetition.
_BYE = r"(?:good[ -]?bye|bye(?:-?bye)?|goodnight|good night|so long|farewell|cheerio|ciao)"
_BYES = rf"{_BYE}(?: {_BYE})*"
_WHEN = (
    r"(?: (?:later|soon|around|then|again|next time|tomorrow|tonight|in a bit|in a while|"
    r"next week|on (?:mon|tues|wednes|thurs|fri|satur|sun)day|another time))+"
)
_GOING = r"(?: (?:now|then|soon))?"
_FAREWELL = re.compile(
    rf"{_BYES}(?: for now| now| then)?"
    rf"|(?:i will |i'll )?see (?:you|ya)(?:{_WHEN})?"
    rf"|(?:i will |i'll |we'll |let's )?(?:talk|talk to you|speak|speak to you|catch you|until)"
    rf"(?:{_WHEN})"
    r"|(?:please )?(?:hang up|end (?:the|this) call)(?: now)?(?: please)?"
    r"|you (?:can|may) (?:hang up|end the call)(?: now)?"
    r"|(?:can|could|would|will) you (?:please )?(?:hang up|end the call)(?: now)?(?: please)?"
    rf"|(?:i've|i have|i) (?:really )?(?:got to|gotta|have to|need to|must|should)"
    rf" (?:go|leave|run|hang up){_GOING}"
    rf"|i (?:really )?(?:have to|need to|must|gotta|should)(?: be| get)? going{_GOING}"
    rf"|(?:i'm|i am) (?:going to|gonna) (?:go|hang up){_GOING}"
    rf"|(?:i'm|i am) (?:off|hanging up){_GOING}"
    r"|have a (?:very )?(?:nice|good|great|lovely|wonderful)"
    r" (?:day|evening|night|afternoon|morning|weekend|one|time)"
    r"|take care(?: of yourself)?"
)
_POLITE = re.compile(
    r"(?:no|nope|yes|yeah|ok|okay|well|so|now|right|alright|all right|great|perfect|good|fine|"
    r"lovely|cool|oh|then|please|and|"
    r"(?:no )?thanks?(?: you)?(?: so| very)?(?: much| a lot)?(?: again| for everything|"
    r" for your help| for the help| anyway)?|cheers|"
    r"(?:that's|that is|that was|that will be|that'll be) (?:all|it|everything)"
    r"(?: for (?:now|today))?(?: i needed| i wanted| thanks| thank you)?|"
    r"nothing else|i'm done|we're done|you too|sorry)"
)
_LEADING = re.compile(rf"(?:{_POLITE.pattern}) (?=\S)")
_TRAILING = re.compile(rf" (?:{_POLITE.pattern})$")
_NAMED = re.compile(rf"({_BYE}|take care|see you|see you later) (?:my |dear )*([\w'’-]+)")
_NO_NAME = re.compile(
    r"\b(?:in|is|was|are|the|an?|to|of|for|from|as|and|or|means?|what|how|why|who|where|when|it|"
    r"that|this|at|on|with|by|if|not|too|song|sign|party|kiss|note|yet|today)\b"
)
_SAYING = re.compile(
    r"\b(?:says?|saying|said|means?|translat\w+|translation|words?|spell\w*|repeat|pronounce|"
    r"phrase|expression)\b|\bin (?:english|german|french|spanish|italian|another language)\b"
)
_ASKING_WHAT = re.compile(r"\b(?:what|which|who|whose|where|when|how|why)\b")
_OFFERING = re.compile(r"\b(?:else|help|can i do|may i do|more|how are you|still there)\b")


def is_backchannel(text: str) -> bool:
    """True for a listening noise such as "mm-hm" or "okay, right": not a turn."""
    return _is_only(_BACKCHANNEL, text)


def is_patience(text: str) -> bool:
    """True for what answers "One moment, please.": "okay", "sure", "mm-hm"; never a "yes"."""
    return _is_only(_PATIENT, text)


def is_hum(text: str) -> bool:
    """True for a sound that says nothing, where nothing was asked: "hmm", "ah"."""
    return _is_only(_HUMMED, text)


def is_command(text: str) -> bool:
    """True for what must stop the agent whatever else it may be: missed, it angers."""
    return _is_only(_COMMANDS, text)


def _is_only(kind: re.Pattern[str], text: str) -> bool:
    phrases = list(_phrases(text))
    return bool(phrases) and len(phrases) <= 3 and all(map(kind.fullmatch, phrases))


def _phrases(text: str) -> Iterator[str]:
    """What stands between punctuation, in lower case; nothing of a text that is too long."""
    if len(text) > LONGEST:
        return
    plain = text.replace("’", "'").lower()
    for phrase in re.split(r"[,.!?;:…—–]+|\s-\s", plain):
        if words := " ".join(phrase.split()):
            yield words


def is_unfinished(text: str) -> bool:
    """True when the words so far ask for more: "set a timer for"."""
    plain = " ".join(text[-LONGEST:].replace("’", "'").lower().split())
    if any(whole.search(plain) for whole in _WHOLE):
        return False
    return bool(_HANGING.search(plain if plain.endswith("...") else plain.rstrip(".!?")))


def is_question(text: str) -> bool:
    """True when the last sentence asks something."""
    return text.rstrip(" \n\"'”’)").endswith(("?", "？", "؟"))


def is_farewell(text: str, after: str = "") -> bool:
    """True when the user says goodbye and nothing else.

    after: what the agent said before. "Goodbye." is an answer to "How do you say auf
    Wiedersehen?", and none to "Is there anything else?".
    """
    goodbyes = 0
    before = ""
    for phrase in _phrases(text):
        said = _bare(phrase)
        if _is_goodbye(said):
            goodbyes += 1
        elif said and not _is_address(said, before):
            return False
        before = phrase
    alone = re.fullmatch(_BYES, " ".join(_phrases(text))) is not None
    return goodbyes > 0 and not (alone and _asks_for_words(after))


def _is_goodbye(phrase: str) -> bool:
    if _FAREWELL.fullmatch(phrase):
        return True
    named = _NAMED.fullmatch(phrase)
    return named is not None and not _NO_NAME.search(named[2])


def _is_address(phrase: str, before: str) -> bool:
    """Whose name it is: "Bye, Mira.", "Thank you, Mira. Bye.", "Goodbye, my friend."."""
    addressed = "thank" in before or _is_goodbye(_bare(before))
    return addressed and len(phrase.split()) <= 2 and not _NO_NAME.search(phrase)


def _bare(phrase: str) -> str:
    """Without the politeness around it; empty when it is nothing else."""
    while not _is_goodbye(phrase):
        if _POLITE.fullmatch(phrase):
            return ""
        if found := _LEADING.match(phrase):
            phrase = phrase[found.end() :]
        elif found := _TRAILING.search(phrase):
            phrase = phrase[: found.start()]
        else:
            break
    return phrase


def _asks_for_words(after: str) -> bool:
    """The agent asked for something that "goodbye" may be."""
    last = re.split(r"(?<=[.!?])\s+", after.strip().lower())[-1]
    if _SAYING.search(last):
        return True
    return bool(is_question(last) and _ASKING_WHAT.search(last) and not _OFFERING.search(last))
