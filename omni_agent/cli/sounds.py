"""Sound files that the commands read and write: each mistake is one line."""

from __future__ import annotations

from pathlib import Path

from omni_agent.audio import AudioFrame, concatenate, read_wav, write_wav
from omni_agent.errors import ConfigError, EngineError


def read_sound(path: Path | str) -> AudioFrame:
    try:
        return read_wav(path)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ConfigError(f"{path} is a folder, not a WAV file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


def check_writable(path: Path) -> None:
    """Raises ConfigError for a file that cannot be written, before anything is spent on it."""
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: name a file (--output)")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent} (--output)")


def write_sound(path: Path, frames: list[AudioFrame]) -> AudioFrame:
    """Raises EngineError where there is nothing to write, ConfigError where it cannot be."""
    if not any(frame.samples for frame in frames):
        raise EngineError(f"nothing was voiced: there is no {path}")
    sound = concatenate(frames, frames[0].sample_rate)
    try:
        write_wav(path, sound)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror} (--output)") from error
    return sound
