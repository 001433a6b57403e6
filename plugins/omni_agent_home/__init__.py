"""The home plugin."""
