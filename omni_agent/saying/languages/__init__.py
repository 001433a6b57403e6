"""A file for each language, named by its code (ISO 639), with a ``LANGUAGE``: one more file is
one more language. What it has to know is said in :mod:`omni_agent.saying.language`.
"""
