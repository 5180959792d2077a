"""Lines out of pieces: of JSON Lines, and of server-sent events."""

from __future__ import annotations

from botwire_core.records import field, record

__all__ = ["Event", "EventReader", "LineSplitter"]


class LineSplitter:
    """Puts pieces together and gives whole lines, without their ends."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that a piece makes whole."""
        end = piece.rfind(b"\n")
        if end < 0:
            self._begun += piece
            return []
        whole = bytes(self._begun) + piece[:end]
        self._begun = bytearray(piece[end + 1 :])
        return whole.split(b"\n")

    def rest(self) -> bytes:
        """What has not come to its end."""
        return bytes(self._begun)


@record
class Event:
    """A server-sent event."""

    name: str
    data: bytes = field(repr=False)


class EventReader:
    """Reads server-sent events, in UTF-8; comments, which keep the line alive, are passed over."""

    def __init__(self) -> None:
        self._lines = LineSplitter()
        self._name = "message"
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[Event]:
        """The events that a piece makes whole."""
        events = []
        for line in self._lines.feed(piece):
            line = line.removesuffix(b"\r")
            if not line:
                if self._data:
                    events.append(Event(self._name, b"\n".join(self._data)))
                self._name, self._data = "message", []
                continue
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                self._data.append(value)
            elif name == b"event":
                self._name = value.decode("utf-8", "replace")
        return events
