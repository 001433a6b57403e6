"""JSON of servers, whose values have a bound in number: each costs far more than it is long.

16 MB of ``[],`` are 5 million lists: half a gigabyte, and two seconds in which nothing else runs
(in a thread neither: ``json`` keeps the GIL). 16 MB of one string are nothing.
"""

from __future__ import annotations

import json
from typing import Any

MOST_VALUES = 1 << 16
"""A chunk has some dozens. Commas in its strings count: a text of 1 MB has some 20,000."""


def loads(text: str | bytes, most: int = MOST_VALUES) -> Any:
    """Raises ValueError for what is no JSON or might be more values than that; RecursionError."""
    if isinstance(text, bytes):
        text = text.decode(json.detect_encoding(text), "replace")
    if sum(map(text.count, ",[{")) > most:
        raise ValueError(f"more than {most} values")
    return json.loads(text)
