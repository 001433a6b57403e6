"""The calculator plugin."""
