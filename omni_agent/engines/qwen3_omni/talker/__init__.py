"""Qwen3-Omni's speech half as a streaming runtime: Talker, MTP and Code2Wav.

Text goes in token by token, from any Thinker or none; codec frames and 24 kHz
speech come out one 80 ms frame at a time, for many callers at once. Read in
this order: ``config``, ``weights``, ``prompt``, ``backbone``, ``predictor``,
``code2wav``, ``runtime`` (slots and steps), ``service`` (the model thread),
``engine`` (the Talker a session uses). Importing this package imports no torch.
"""
