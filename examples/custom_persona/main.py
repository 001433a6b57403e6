"""A persona of your own is one Markdown file; edit it while a call is on."""

from pathlib import Path

from omni_agent import Agent

PIRATE = Path(__file__).with_name("pirate.md")

if __name__ == "__main__":
    Agent(persona=PIRATE).serve()
