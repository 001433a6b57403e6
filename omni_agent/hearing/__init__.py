"""What one caller says, and when it is their turn. It knows nothing of replies.

``listener`` makes events of audio, those in ``heard``; ``turns`` finds where speech begins and
ends, ``policy`` is what the persona has to say of that, and ``ending`` asks a learned end of
turn. ``push_to_talk`` leaves the end to the client. Both tell the same ``account``, which keeps
the order. ``transcribing`` asks ears for words.
``manners`` tells what words mean for who speaks, ``goodbyes`` which of them end a call: ``words``
has them by language, ``patterns`` reads them. ``echo`` knows the agent's own voice.
"""
