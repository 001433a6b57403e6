"""One phone call. Read it in this order: ``session`` (its life and its line), ``attention`` (the
user's turns), ``reply_requests`` (what the client wants answered), ``replies`` (one at a time,
and what waits for a silence), ``reply`` (think and use tools, until all is said), ``speaker``
(its voice: what is said of it and heard), ``utterance`` (one message of that), ``fillers``,
``questions`` of tools, ``confirmation`` (what a draft must not do yet), ``tool_runs`` and
``tool_context`` (a tool at work), ``sight`` (what the camera shows), ``preparation`` (what is
read early), ``retrieval`` (what is found for a turn) by ``counsel``.
``orders`` are what the client asks for, where it makes ``sense``: other ``dressing``, ``asides``,
``keys``.
``state`` is what they all share, ``request`` how a line asks for a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omni_agent._moved import moved_names

if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
