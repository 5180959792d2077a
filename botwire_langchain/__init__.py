"""BotWire for LangChain: chat history, byte store, cache of answers, tools and middleware, a module each."""
