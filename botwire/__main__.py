"""`python -m botwire` is the `botwire` command."""

from __future__ import annotations

from botwire.cli import main

if __name__ == "__main__":
    main()
