"""The notes plugin."""
