"""What is kept: ``transcripts`` writes calls while they last, into the file of ``database``;
``folders`` says where that is, and for whose eyes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omni_agent._moved import moved_names
from omni_agent.records.folders import data_dir, make_private

__all__ = ["data_dir", "make_private"]

if not TYPE_CHECKING:  # who checks types is told of the old names
    __getattr__ = moved_names(__name__)
