"""WebRTC transport."""
