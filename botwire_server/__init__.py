"""BotWire as a service: the same memory over HTTP, over any store."""
