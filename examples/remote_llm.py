"""Think on any OpenAI-compatible server; hear and speak here.

OPENAI_BASE_URL=http://localhost:8000/v1 OPENAI_MODEL=qwen3-8b python examples/remote_llm.py
"""

import os

from omni_agent import Agent

if __name__ == "__main__":
    Agent(
        persona="engineer",
        base_url=os.environ.get("OPENAI_BASE_URL", "http://localhost:8000/v1"),
        api_key=os.environ.get("OPENAI_API_KEY"),
        model=os.environ.get("OPENAI_MODEL"),
    ).serve()
