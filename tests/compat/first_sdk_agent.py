"""Runs in the environment of SDK 0.2.1: an order a line from standard input, an answer a line to standard output."""

from __future__ import annotations

import json
import sys


def main() -> None:
    from langchain_core.messages import messages_from_dict, messages_to_dict

    import botwire

    def messages(session_id: str) -> list[dict]:
        return messages_to_dict(botwire.BotWireChatHistory(session_id).messages)

    def add_message(session_id: str, message: dict) -> None:
        botwire.BotWireChatHistory(session_id).add_message(messages_from_dict([message])[0])

    orders = {
        "version": lambda: botwire.__version__,
        "set": lambda namespace, key, value: botwire.Memory(namespace).set(key, value),
        "get": lambda namespace, key, default: botwire.Memory(namespace).get(key, default),
        "delete": lambda namespace, key: botwire.Memory(namespace).delete(key),
        "keys": lambda namespace: botwire.Memory(namespace).keys(),
        "in": lambda namespace, key: key in botwire.Memory(namespace),
        "messages": messages,
        "add_message": add_message,
        "clear": lambda session_id: botwire.BotWireChatHistory(session_id).clear(),
    }
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"gave": orders[name](*arguments)}
        except Exception as error:
            answer = {"raised": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
