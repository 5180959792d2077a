"""The `botwire` command; the only place that loads typer, and rich where something is drawn."""

from __future__ import annotations

from botwire.cli.app import main

__all__ = ["main"]
