"""BotWire for AutoGen: memory, cache, model context, tools and the state of teams, a module each."""
