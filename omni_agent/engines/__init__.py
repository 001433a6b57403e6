"""Engines: the only places that import models. ``local`` runs on any laptop, ``remote`` asks a
server, ``vllm_omni`` speaks through one, ``qwen3_omni`` is ours on a GPU; ``process`` is what
those share that keep models in processes of their own.
"""
