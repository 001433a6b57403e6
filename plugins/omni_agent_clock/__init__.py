"""The clock plugin."""
