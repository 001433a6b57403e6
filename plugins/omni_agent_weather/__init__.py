"""The weather plugin."""
