"""A WebRTC line for omni_agent, on aiortc, with the delays taken out."""

from __future__ import annotations

from omni_agent_webrtc.signalling import answer
from omni_agent_webrtc.transport import WebRTCTransport

__all__ = ["WebRTCTransport", "answer"]
