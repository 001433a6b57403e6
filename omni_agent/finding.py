"""What somebody who looked found: engines and lines tell ``omni-agent doctor`` with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """what was looked at; how: what was found; mend: what to do, empty when all is well."""

    what: str
    how: str
    mend: str = ""
