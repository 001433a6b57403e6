"""What words mean for who speaks, in English; the other languages are in test_words."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from omni_agent.hearing.manners import LONGEST, manners_in

ENGLISH = manners_in("en")
is_backchannel, is_patience = ENGLISH.is_backchannel, ENGLISH.is_patience
is_hum, is_command = ENGLISH.is_hum, ENGLISH.is_command
is_farewell, is_unfinished = ENGLISH.is_farewell, ENGLISH.is_unfinished
is_question = ENGLISH.is_question


@pytest.mark.parametrize(
    "text", ["Mm-hm.", "Uh-huh", "Yeah, yeah.", "Okay. Right.", "I see.", "Hmm"]
)
def test_listening_noises_are_backchannels(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize("text", ["Stop.", "No.", "Wait", "Yes, but not now", "What?", ""])
def test_words_that_want_the_turn_are_not(text: str) -> None:
    assert not is_backchannel(text)


def test_patience_is_not_an_answer_and_a_hum_says_nothing() -> None:
    assert is_patience("Okay, thanks.")
    assert not is_patience("Yes.")
    assert is_hum("Hmm.")
    assert not is_hum("Okay.")


def test_commands_stop_the_agent_whatever_it_is_saying() -> None:
    assert is_command("Stop! Stop.")
    assert is_command("No.")
    assert not is_command("No problem.")


UNFINISHED = [
    "Set a timer for",
    "Set a timer for.",
    "Can you set a timer for?",
    "I want to go to the",
    "I want to go to",
    "I want to",
    "I'd like to",
    "I would like",
    "Well, um",
    "And then...",
    "And then",
    "And so",
    "Tell me about",
    "What about",
    "How about",
    "My name is",
    "The number is",
    "Remind me to",
    "Send a message to",
    "Play something by",
    "I'm looking for",
    "Turn on",
    "Turn the",
    "Put the milk in",
    "Check the weather in",
    "What's the weather in",
    "I think that",
    "Please tell me that",
    "I need",
    "Can you",
    "Could you please",
    "Please set",
    "A table for two and",
    "Either tea or",
    "Because",
    "It sounds like",
    "Something like",
    "Let me see,",
    "The code is 4-",
    "A double room with",
    "I would rather have it than",
    "We arrive on",
]
FINISHED = [
    "Set a timer for ten minutes.",
    "What time is it?",
    "Hello",
    "Turn the kitchen light on.",
    "Turn the kitchen light on",
    "Turn the kitchen light off.",
    "Turn it on.",
    "Switch them all on, please.",
    "Put the kettle on.",
    "Put some music on.",
    "Leave the hall light on.",
    "Come on in.",
    "Come in.",
    "Log me in.",
    "Check us in.",
    "Let him in.",
    "Count me in.",
    "Plug it in.",
    "Hold on.",
    "Go on.",
    "Not later on.",
    "What's that for?",
    "Who are you talking to?",
    "Where are you from?",
    "Which room am I in?",
    "What is this about?",
    "What are you looking at?",
    "That's what I was looking for.",
    "It is nothing to be afraid of.",
    "What's it like?",
    "I don't think so.",
    "I hope so.",
    "Yes, it is.",
    "I know what it is.",
    "Do you know who they are?",
    "I think she was.",
    "I like that.",
    "What was that?",
    "Do that.",
    "I don't want to.",
    "I'd love to.",
    "That is all I need.",
    "See you then.",
    "Whatever you like.",
    "One coffee, please.",
]


@pytest.mark.parametrize("text", UNFINISHED)
def test_a_sentence_that_hangs_is_unfinished(text: str) -> None:
    assert is_unfinished(text)


@pytest.mark.parametrize("text", FINISHED)
def test_a_whole_sentence_is_not(text: str) -> None:
    assert not is_unfinished(text)


FAREWELLS = [
    "Goodbye!",
    "Goodbye.",
    "good bye",
    "Good-bye.",
    "Bye.",
    "bye",
    "Bye-bye.",
    "Okay, bye.",
    "Thanks, bye bye.",
    "Bye for now",
    "Bye, Mira.",
    "bye mira",
    "Goodbye, my friend.",
    "Thank you, Mira. Goodbye.",
    "I have to go now, bye",
    "I have to go now.",
    "I've got to run. Bye!",
    "I gotta go.",
    "I must go now, goodbye.",
    "I should get going, bye.",
    "Okay, I'm going to hang up now.",
    "Please hang up",
    "Hang up.",
    "You can hang up now.",
    "Could you hang up, please?",
    "End the call.",
    "That's all, thank you, goodbye",
    "That's all for today, thanks. Bye.",
    "No, thank you, that's everything. Goodbye.",
    "No thanks, bye.",
    "talk to you later",
    "Talk to you soon!",
    "Speak to you tomorrow.",
    "See you tomorrow!",
    "See you.",
    "See you later, bye.",
    "See you next week.",
    "I'll see you on Monday.",
    "Catch you later.",
    "Until next time.",
    "Good night.",
    "Goodnight, Mira!",
    "Have a nice day!",
    "Thanks, have a good one.",
    "You too, bye.",
    "Take care, bye.",
    "Thank you so much for your help. Goodbye!",
    "Alright then, goodbye.",
    "Great, thanks a lot, see you soon.",
]
NO_FAREWELLS = [
    "",
    "Thanks.",
    "That's all.",
    "No, thanks.",
    "Say goodbye in French.",
    "How do I say bye?",
    "How do you say goodbye in German?",
    "What does ciao mean?",
    "Is goodbye one word?",
    "Goodbye is what he said.",
    "Goodbye in German",
    "Tell my wife goodbye",
    "Tell my wife goodbye.",
    "She said goodbye and left.",
    "By the way",
    "Bye the way, what time is it?",
    "Goodbye, but before that, what time is it?",
    "Before I say goodbye, set a timer.",
    "Play Goodbye Yellow Brick Road.",
    "Play the song Goodbye.",
    "I have to go to the bank.",
    "I have to go now?  Why?",
    "Do I have to go?",
    "When do I have to leave?",
    "I need to leave the car somewhere.",
    "Remind me to say goodbye to Ann.",
    "See you later is a song.",
    "I will see you about the room.",
    "See what is on tonight.",
    "See you have three rooms left.",
    "Talk to the kitchen.",
    "Talk to me.",
    "Don't hang up.",
    "Please don't hang up!",
    "How do I hang up a coat?",
    "Did somebody hang up?",
    "Hang up the picture.",
    "Good night's sleep matters.",
    "Is it good night or good evening?",
    "Have a look.",
    "Have a nice table ready.",
    "Take care of the dog.",
    "Set an alarm for tomorrow, see you.",
    "Until when are you open?",
    "Wait.",
]
AFTER_QUESTIONS = [
    ("Goodbye.", "How do you say auf Wiedersehen?", False),
    ("Goodbye.", "Right. And what does arrivederci mean?", False),
    ("Bye.", "What did she write on the card?", False),
    ("Goodbye.", "Repeat after me: goodbye.", False),
    ("Goodbye.", "Is there anything else I can do for you?", True),
    ("Goodbye.", "What else can I do for you?", True),
    ("Bye.", "How can I help you?", True),
    ("Goodbye.", "Shall I book it?", True),
    ("Goodbye.", "Your table is booked.", True),
    ("No thanks, I have to go, bye.", "How do you say auf Wiedersehen?", True),
]


@pytest.mark.parametrize("text", FAREWELLS)
def test_goodbyes_in_words_that_people_use_are_farewells(text: str) -> None:
    assert is_farewell(text)


@pytest.mark.parametrize("text", NO_FAREWELLS)
def test_what_is_said_of_goodbyes_is_not(text: str) -> None:
    assert not is_farewell(text)


@pytest.mark.parametrize(("text", "after", "farewell"), AFTER_QUESTIONS)
def test_a_goodbye_may_be_the_answer_to_a_question(text: str, after: str, farewell: bool) -> None:
    assert is_farewell(text, after) is farewell


def test_a_question_is_seen_by_its_mark() -> None:
    assert is_question('Shall I book it?" ')
    assert not is_question("Shall I? I will.")


NEAR_MISSES = [
    "bye ",
    "bye-bye ",
    "good bye ",
    "byebye",
    "see you later ",
    "thank you ",
    "no thanks ",
    "bye my dear ",
    "m",
    "m m",
    "mhm ",
    "what to ",
    "turn it ",
    "yes it is ",
    "i really want ",
    "and so ",
    " ",
    "-",
    ", ",
    "?",
]


def interrupted(*_: object) -> None:
    raise AssertionError("it does not return")


@pytest.fixture
def bounded() -> Iterator[None]:
    """Ends a test that would go on for years, as patterns do that can be read in two ways."""
    before = signal.signal(signal.SIGALRM, interrupted)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize("length", [LONGEST, 8_000])
@pytest.mark.parametrize("again", NEAR_MISSES)
def test_no_text_holds_the_caller_up(again: str, length: int) -> None:
    text = (again * length)[: length - 1] + "x"
    for tell in (is_backchannel, is_command, is_hum, is_patience, is_farewell, is_unfinished):
        assert not tell(text)
    assert is_farewell("bye", after=text)  # the agent's words come from a model


def test_many_goodbyes_are_one() -> None:
    assert is_farewell("Bye bye bye bye, bye-bye!")
    assert not is_farewell("Bye bye", after="How do you say ciao ciao?")


def test_how_a_long_text_ends_is_seen() -> None:
    assert is_unfinished("It was a long story. " * 400 + "Set a timer for")
