"""``python -m omni_agent`` is the ``omni-agent`` command."""

from omni_agent.cli import main

main()
