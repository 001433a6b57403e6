"""Engines: the only places that import models."""
