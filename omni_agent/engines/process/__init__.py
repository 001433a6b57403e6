"""Model processes: started, watched, restarted and stopped from the media process.

``worker`` is the parent's side, ``life`` one incarnation of the process, ``child`` and
``async_child`` its own side, ``wire`` what goes between. Engines bring a service; nothing here
knows a model.
"""
