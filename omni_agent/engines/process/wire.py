"""Packets between the media process and a model process: a JSON head and raw bytes.

Nothing is pickled, so a damaged or hostile peer can at worst break its own line.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["call", "cancel", "item", "end", "error", "ready", "report", "beat", "hung"]

_LENGTHS = struct.Struct(">II")
MAX_BYTES = 64 << 20
"""Longest head or blob: half an hour of 16 kHz audio; more is a broken line."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. ``id`` names the request it belongs to; 0 is the process itself.

    body: anything JSON can carry. blob: raw bytes (16-bit little-endian PCM, float32).
    """

    id: int
    kind: Kind
    body: Mapping[str, Any] = field(default_factory=dict)
    blob: bytes = b""


def pack(packet: Packet) -> bytes:
    """The bytes of a packet. Raises ValueError when it is too long to be read back."""
    head = json.dumps([packet.id, packet.kind, dict(packet.body)]).encode()
    if len(head) > MAX_BYTES or len(packet.blob) > MAX_BYTES:
        raise ValueError(f"a packet holds at most {MAX_BYTES} bytes")
    return _LENGTHS.pack(len(head), len(packet.blob)) + head + packet.blob


class Unpacker:
    """Turns a byte stream, cut anywhere, back into packets."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """The packets completed by ``data``. Raises ValueError for anything else."""
        self._held += data
        packets: list[Packet] = []
        start = 0
        while len(self._held) - start >= _LENGTHS.size:
            head_bytes, blob_bytes = _LENGTHS.unpack_from(self._held, start)
            if head_bytes > MAX_BYTES or blob_bytes > MAX_BYTES:
                raise ValueError("not a packet: its length is out of bounds")
            head_at = start + _LENGTHS.size
            blob_at = head_at + head_bytes
            end = blob_at + blob_bytes
            if len(self._held) < end:
                break
            packets.append(
                _read(bytes(self._held[head_at:blob_at]), bytes(self._held[blob_at:end]))
            )
            start = end
        del self._held[:start]
        return packets


def _read(head: bytes, blob: bytes) -> Packet:
    parsed = json.loads(head)
    match parsed:
        case [int(number), str(kind), dict(body)]:
            return Packet(number, kind, body, blob)  # type: ignore[arg-type]  # an unknown kind is ignored by both ends
        case _:
            raise ValueError("not a packet: the head is not [id, kind, body]")
