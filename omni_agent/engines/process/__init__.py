"""Model processes: started, watched, restarted and stopped from the media process.

``worker`` is the parent's side, ``child`` and ``async_child`` the process's, ``wire`` what
goes between. Engines bring a service; nothing here knows a model.
"""
