"""English as it is said: what is written, and the words it is read in."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omni_agent.saying import saying


def say(text: str, region: str = "") -> str:
    known = saying(f"en{region}")
    assert known is not None
    return known.say(text).text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("5*4 square meters", "five times four square meters"),
        ("555-0199", "five five five, zero one nine nine"),
        ("code is 0042", "code is zero zero four two"),
        ("The code is 4711.", "The code is four seven one one."),
        ("−5 degrees", "minus five degrees"),
        ("-5 °C", "minus five degrees Celsius"),
        ("-5°C outside", "minus five degrees Celsius outside"),
        ("72°F", "seventy-two degrees Fahrenheit"),
        ("12,50 €", "twelve euros and fifty cents"),
        ("20€", "twenty euros"),
        ("20 €", "twenty euros"),
        ("€20", "twenty euros"),
        ("$3.50", "three dollars and fifty cents"),
        ("$1.00", "one dollar"),
        ("$0.99", "ninety-nine cents"),
        ("-$5", "minus five dollars"),
        ("$1,250", "one thousand two hundred and fifty dollars"),
        ("$1,234.56", "one thousand two hundred and thirty-four dollars and fifty-six cents"),
        ("£1.01", "one pound and one penny"),
        ("¥500", "five hundred yen"),
        ("$1.5 million", "one point five million dollars"),
        ("$5M", "five million dollars"),
        ("€1.2bn", "one point two billion euros"),
        ("USD 20", "twenty dollars"),
        ("20 EUR", "twenty euros"),
        ("10 - 3 = 7", "ten minus three equals seven"),
        ("10-3=7", "ten minus three equals seven"),
        ("6/2 = 3", "six divided by two equals three"),
        ("2 + 2 = 4", "two plus two equals four"),
        ("2+2=4", "two plus two equals four"),
        ("x = 5", "x equals five"),
        ("2 × 4", "two times four"),
        ("3 * 5 is 15", "three times five is fifteen"),
        ("7^2", "seven squared"),
        ("x²", "x squared"),
        ("1/2", "one half"),
        ("3/4 cup", "three quarters cup"),
        ("1 1/2 cups", "one and a half cups"),
        ("2½ hours", "two and a half hours"),
        ("½ cup", "one half cup"),
        ("C# and F#", "C sharp and F sharp"),
        ("C++", "C plus plus"),
        ("72%", "seventy-two percent"),
        ("0.5 %", "zero point five percent"),
        ("50–60%", "fifty to sixty percent"),
        ("10:30", "ten thirty"),
        ("10:30 AM", "ten thirty AM"),
        ("7:05", "seven oh five"),
        ("10:00", "ten o'clock"),
        ("14:00", "fourteen hundred"),
        ("at 9 pm", "at nine PM"),
        ("16:9", "sixteen to nine"),
        ("2026-11-30", "November thirtieth, twenty twenty-six"),
        ("11/30/2026", "November thirtieth, twenty twenty-six"),
        ("30/11/2026", "November thirtieth, twenty twenty-six"),
        ("November 30, 2026", "November thirtieth, twenty twenty-six"),
        ("30 November 2026", "thirtieth November twenty twenty-six"),
        ("March 3rd", "March third"),
        ("in 1999", "in nineteen ninety-nine"),
        ("since 2005", "since two thousand and five"),
        ("the 1990s", "the nineteen nineties"),
        ("the 80s", "the eighties"),
        ("2010-2015", "twenty ten to twenty fifteen"),
        ("pages 3-5", "pages three to five"),
        ("10–20 people", "ten to twenty people"),
        ("1st", "first"),
        ("2nd", "second"),
        ("21st", "twenty-first"),
        ("22nd floor", "twenty-second floor"),
        ("#5", "number five"),
        ("No. 5", "number five"),
        ("3x faster", "three times faster"),
        ("10k", "ten thousand"),
        ("1.5M users", "one point five million users"),
        ("v2.0", "v two point zero"),
        ("3.14", "three point one four"),
        ("3.10", "three point one zero"),
        ("1.2.3", "one point two point three"),
        (
            "192.168.1.1",
            "one hundred and ninety-two dot one hundred and sixty-eight dot one dot one",
        ),
        ("1,250", "one thousand two hundred and fifty"),
        (
            "1,234,567",
            "one million two hundred and thirty-four thousand five hundred and sixty-seven",
        ),
        ("100", "one hundred"),
        ("$ 5", "five dollars"),
        ("12.50 dollars", "twelve dollars and fifty cents"),
        ("6 € 3 times", "six euros three times"),
        ("2¼ cups", "two and one quarter cups"),
        ("25¢", "twenty-five cents"),
        ("1\u202f250 km", "one thousand two hundred and fifty kilometers"),
        ("101", "one hundred and one"),
        ("1.000", "one point zero zero zero"),
        ("5 km", "five kilometers"),
        ("1 km", "one kilometer"),
        ("80 km/h", "eighty kilometers per hour"),
        ("60 mph", "sixty miles per hour"),
        ("5kg", "five kilograms"),
        ("1.5 l", "one point five liters"),
        ("16 GB", "sixteen gigabytes"),
        ("2.4 GHz", "two point four gigahertz"),
        ("30 m²", "thirty square meters"),
        ("150 ms", "one hundred and fifty milliseconds"),
        ("5 min", "five minutes"),
        ("220 V", "two hundred and twenty volts"),
        ("A-1042", "A one zero four two"),
        ("COVID-19", "COVID-nineteen"),
        ("A4", "A four"),
        ("MP3", "MP three"),
        ("H2O", "H two O"),
        ("B12", "B twelve"),
        ("flight 1234", "flight one two three four"),
        ("room 204", "room two zero four"),
        ("order number 90210", "order number nine zero two one zero"),
        ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("555-123-4567", "five five five, one two three, four five six seven"),
        ("AT&T", "AT and T"),
        ("salt & pepper", "salt and pepper"),
        ("me@example.com", "me at example dot com"),
        ("https://example.com/docs.", "example dot com slash docs."),
        ("(see www.example.org)", "(see www dot example dot org)"),
        ("24/7", "twenty-four seven"),
        ("e.g. this", "for example this"),
        ("i.e. that", "that is that"),
        ("dogs vs. cats", "dogs versus cats"),
        ("~20 people", "about twenty people"),
        ("±3", "plus or minus three"),
        ("5 > 3", "five is greater than three"),
        ("a < b", "a is less than b"),
        ("5 ≤ 6", "five is at most six"),
        ("A → B", "A to B"),
        ("he/she", "he or she"),
        ("1,2,3", "one, two, three"),
        ("café", "café"),
        ("snake_case", "snake case"),
        ("an x-ray", "an x-ray"),
        ("It's 5.", "It's five."),
        ("It costs 5.", "It costs five."),
        ("I have 3, 4 or 5.", "I have three, four or five."),
        ("5'10\"", "five foot ten"),
        ("at 5 p.m. tomorrow", "at five PM tomorrow"),
        ("from 2010 to 2015", "from twenty ten to twenty fifteen"),
        ("by 2030", "by twenty thirty"),
        ("$20", "twenty dollars"),
        ("There are 1200 people", "There are one thousand two hundred people"),
        ("It weighs 70 kg.", "It weighs seventy kilograms."),
        ("3 - 5 days", "three to five days"),
        ("7 + 8", "seven plus eight"),
        ("I'm #1!", "I'm number one!"),
        ("4x4", "four times four"),
        ("March 5, 2024 at 10:30 a.m.", "March fifth, twenty twenty-four at ten thirty AM."),
        ("1 + x", "one plus x"),
        ("5!", "five!"),
        ("√9 is 3", " the square root of nine is three"),
        ("Call 1-800-555-0199.", "Call one, eight zero zero, five five five, zero one nine nine."),
        ("In Q3 2025", "In Q three twenty twenty-five"),
        ("summer 2025", "summer twenty twenty-five"),
        ("1h 30m", "one hour thirty minutes"),
        ("v1.2.3-beta", "v one point two point three-beta"),
        ("room 5B", "room five B"),
        ("5 ft 10 in", "five feet ten inches"),
        ("10am-5pm", "ten AM to five PM"),
        ("100€/month", "one hundred euros per month"),
        ("$3/kg", "three dollars per kilogram"),
        ("1/4 l", "one quarter liter"),
        ("1 1/2 km", "one and a half kilometers"),
        ("3 4/5", "three and four fifths"),
    ],
)
def test_numbers_units_and_symbols_are_put_in_words(written: str, said: str) -> None:
    assert say(written) == said


@pytest.mark.parametrize(
    "plain", ["It's a well-known fact: I'm here.", "Wait... what?", "“Yes,” she said — no."]
)
def test_plain_words_stay_as_they_are(plain: str) -> None:
    assert say(plain) == plain


_DIGITS = st.integers(1, 5000).map("7".__mul__)
_AROUND = st.sampled_from(
    ["", "$", "€", "£", "-", "/2", "½", " 1/2", "%", " km", ".50", ",5", "th"]
)


@given(st.lists(st.one_of(_AROUND, _DIGITS), max_size=5).map("".join))
@example("$" + "1" * 310)
@example("1" * 310 + "/2")
@example("2/" + "1" * 5000)
@example("$" + "1" * 5000 + ".50")
def test_a_model_that_is_stuck_on_a_digit_is_read_out(text: str) -> None:
    assert not any(character.isdigit() for character in say(text))


def test_no_digit_of_a_long_number_is_lost() -> None:
    assert say("1" * 19 + ".5") == " ".join(["one"] * 19) + " point five"


@given(
    st.text(
        st.sampled_from("0123456789.,:/-+*=%$€£°()#'\" kmGBhCFthndxAP½²~√&@你éß\n"), max_size=40
    )
)
def test_no_digit_is_left_whatever_is_written(text: str) -> None:
    assert not re.search(r"[0-9]", say(text))


@given(st.text(max_size=60))
def test_whatever_is_written_can_be_said(text: str) -> None:
    assert isinstance(say(text), str)


@pytest.mark.parametrize(
    ("region", "written", "said"),
    [
        ("-GB", "03/04/2026", "third April twenty twenty-six"),
        ("-US", "03/04/2026", "March fourth, twenty twenty-six"),
        ("-IN", "250000", "two lakh fifty thousand"),
    ],
)
def test_a_region_has_its_own_ways(region: str, written: str, said: str) -> None:
    assert say(written, region) == said
