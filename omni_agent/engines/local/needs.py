"""Which packages and models the embedded engine is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from omni_agent.engine import StageName, StageOptions
from omni_agent.errors import StageOptionError

NAME = "local"
SMART_TURN, SMART_TURN_MODEL = "smart-turn", "smart-turn-v3.2"
WHISPER, LIGHT_WHISPER = "whisper-base", "whisper-tiny.en"
PACKAGES = {
    "thinker": ("xllamacpp",),
    "talker": ("hibari", "anyascii", "num2words"),
    "turn_end": ("onnxruntime",),
    "ears": ("ctranslate2", "tokenizers", "onnxruntime", "faster_whisper"),
}
"""What each stage imports, of the extra ``local``."""
LANGUAGE_MODEL, LIGHT_LANGUAGE_MODEL = "qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b"


@dataclass(frozen=True, slots=True)
class MindOptions:
    """threads: of the processor, for thinking; None takes two, or what there is."""

    threads: int | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"{self.threads} threads: one is the least")


def check(stage: StageName, options: StageOptions) -> None:
    """Raises StageOptionError for options of a stage that cannot be."""
    if stage == "thinker":
        options.own(MindOptions)
    if options.model is not None:
        _check_model(stage, options.model)


def _check_model(stage: StageName, model: str) -> None:
    """Raises StageOptionError for a name in the store that is no model of this stage."""
    from omni_agent.models import MODELS

    does, cannot, ends, path = {
        "thinker": ("thinks", "think", ".gguf", "a path to a GGUF file"),
        "turn_end": ("onnxruntime",),
        "ears": ("hears", "hear", ".bin", "the folder of a CTranslate2 Whisper"),
    }[stage]
    fit = [name for name, one in MODELS.items() if any(f.path.endswith(ends) for f in one.files)]
    if named_file(model) is None and model not in fit:
        what = f"{MODELS[model].purpose}; it cannot {cannot}" if model in MODELS else "unknown"
        can = f"the {NAME} engine {does} with {', '.join(fit)}, or {path}"
        raise StageOptionError(stage, "model", f"model {model!r}: {what}; {can}")


def named_file(model: str) -> Path | None:
    """The path, when a model is named by its file and not by its name in the store."""
    return Path(model) if model.endswith(".gguf") or "/" in model else None
