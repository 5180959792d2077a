"""The protocol of BotWire, its stores, and the registry of plugins; users import `botwire`."""
