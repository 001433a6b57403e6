"""Help for whoever needs it: ``scope`` has tasks that may refuse to end, ``machine`` tells of the
machine, ``distribution`` of the installed package, ``logs`` has what is logged to a terminal.
"""
