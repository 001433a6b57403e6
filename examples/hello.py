"""The smallest agent with a tool of its own: run it, open the URL, ask for order A-1042."""

from omni_agent import Agent, tool


@tool
def order_status(order_id: str) -> str:
    """Where an order is. order_id: the number on the receipt, e.g. A-1042."""
    return "out for delivery"


if __name__ == "__main__":
    Agent(persona="concierge", tools=[order_status]).serve()
