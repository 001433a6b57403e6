"""Pure stream filters: text in as it is thought, text out as it should be voiced.

A filter takes an async iterator of pieces and yields pieces; cutting the input
differently never changes the joined output.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

TextFilter = Callable[[AsyncIterator[str]], AsyncIterator[str]]
