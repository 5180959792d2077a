"""BotWire on PostgreSQL: the store for more than one machine, opened by `postgresql://` URLs."""
