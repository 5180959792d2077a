"""BotWire for LangChain; `botwire_langchain.history` has the chat history."""
