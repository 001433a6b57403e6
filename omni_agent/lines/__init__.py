"""What lines to a user share. ``inbox`` sorts what comes; a ``microphone``'s sound becomes frames,
as much of it as there is ``credit`` for. ``speech`` is what goes: ``playout`` is its queue and
knows what was heard, ``clock`` says when the next frame is due, ``resampling`` waits for nothing.
``wrapped`` has something between a line and its call, ``in_process`` is a line without a network.
"""
