"""The server: HTTP, signalling, the Realtime protocol and the call page."""
