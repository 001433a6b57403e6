"""Personas as files: ``files`` finds and reads them (``front_matter``; ``explaining`` says what
is wrong), ``outfit`` is a persona
with its tools and filters. The persona itself is :class:`omni_agent.persona.Persona`.
"""
