"""Packets survive any cut; what is no packet is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_agent.engines.process.wire import MAX_BYTES, Packet, Unpacker, pack

packets = st.builds(
    Packet,
    st.integers(0, 2**31),
    st.sampled_from(["call", "cancel", "item", "end", "error", "ready", "report"]),
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=9), max_size=3),
    st.binary(max_size=40),
)


@given(st.lists(packets, max_size=5), st.integers(1, 50))
def test_packets_survive_any_cut(sent: list[Packet], size: int) -> None:
    data = b"".join(map(pack, sent))
    unpacker = Unpacker()
    got = [p for at in range(0, len(data), size) for p in unpacker.feed(data[at : at + size])]
    assert got == sent


@given(st.binary(min_size=8, max_size=200))
def test_noise_is_refused_or_waited_out_never_believed(noise: bytes) -> None:
    try:
        got = Unpacker().feed(noise)
    except ValueError:
        return
    assert all(isinstance(packet, Packet) for packet in got)


def test_an_absurd_length_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="out of bounds"):
        Unpacker().feed(b"\xff" * 8)


def test_a_packet_nobody_could_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="at most"):
        pack(Packet(1, "item", {}, bytes(MAX_BYTES + 1)))
