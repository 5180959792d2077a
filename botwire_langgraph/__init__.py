"""BotWire for LangGraph: `botwire_langgraph.store`, `.saver` and `.cache`."""
