"""What plugins bring. ``hooks`` has pluggy ask them, each in its ``containment``; ``answers``
reads what they return, ``filters`` bounds those that work on text, ``manners`` those that tell
what words mean and ``wrapping`` what is put between a call and its line, ``settings`` reads what
personas say of them, and ``problems`` is what they did wrong; ``connecting`` finds tools that are
elsewhere. ``engines`` are the table of engines and who provides which stage, ``starting`` starts
them, ``fitting`` says what a persona goes without; ``registry`` is what an agent has of it all,
and ``wardrobe`` dresses calls in personas with it, and takes up what is edited.
"""

from __future__ import annotations

from omni_agent.registry.registry import Registry

__all__ = ["Registry"]
