"""The model store: named models, fetched once, verified by sha-256, used offline after.

::

    store = ModelStore()                    # OMNI_AGENT_MODELS or the XDG cache
    store.fetch("whisper-base", print)      # from wherever the bytes can be had
    folder = store.path("whisper-base")     # raises ModelStoreError until fetched

A model of one file is that file's path; a model of several is their folder. The names are in
``catalogue``; ``sources`` fetches the bytes, ``store`` keeps them, ``progress`` tells how far it
is.
"""

from omni_agent.models.catalogue import MODELS, Model, ModelFile, Piece
from omni_agent.models.progress import Progress, Report, as_lines, as_rich
from omni_agent.models.store import ModelStatus, ModelStore

__all__ = [
    "MODELS",
    "Model",
    "ModelFile",
    "ModelStatus",
    "ModelStore",
    "Piece",
    "Progress",
    "Report",
    "as_lines",
    "as_rich",
]
