"""How the demo looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

from rich.console import Console, Group
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from botwire.cli.text import visible
from botwire.demo.agent import Visit
from botwire.demo.greeting import shown_value
from botwire.demo.records import Learned
from botwire.demo.replay import Greeting, Run

__all__ = ["Stage"]

_WIDTH = 100
_LABEL_WIDTH = 10
_LABELS = {"avoid": "not by", "hours": "reachable", "name": "goes by"}
_CHANNELS = {"email": "e-mail", "text": "text message", "whatsapp": "WhatsApp"}
_LANGUAGES = {"en": "English", "fr": "French", "de": "German", "es": "Spanish", "pt": "Portuguese"}
_VALUES = _CHANNELS | _LANGUAGES


class Stage:
    """Where the demo is shown: a console, and one method for each part."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, emoji=False)
        if self.console.width > _WIDTH or not self.console.is_terminal:
            self.console.width = _WIDTH

    def open(self, run: Run, conversations: int, pid: int) -> None:
        """Say what is about to happen."""
        lines = [
            Text(f"Process {pid} is a customer-service agent.", style="bold"),
            Text(
                f"It now holds {conversations} conversations, and remembers what customers tell it. "
                "There is no network and no key: its model is a script, its memory is real."
            ),
        ]
        if run.known_before:
            met = f"This is run {run.number}: I have met you before, all {run.known_before} of you."
            lines.append(Text(met, style="cyan"))
        self.console.print(Panel(Group(*lines), border_style="cyan", title="botwire demo", title_align="left"))

    @contextmanager
    def progress(self, total: int) -> Iterator[Progress]:
        """A bar at the bottom, over which conversations scroll."""
        columns = (TextColumn("{task.description}", style="dim"), BarColumn(bar_width=40), MofNCompleteColumn())
        hidden = not self.console.is_terminal
        with Progress(*columns, console=self.console, transient=True, disable=hidden) as progress:
            progress.add_task("conversations", total=total)
            yield progress

    def visit(self, visit: Visit, progress: Progress) -> None:
        """Show one conversation: the greeting, what was learned, what was answered from memory."""
        conversation = visit.conversation
        head = Text.assemble(
            (f"{conversation.date:%d %b %Y}  ", "dim"),
            (visible(conversation.name), "bold"),
            (f"  {visible(conversation.channel)}", "dim"),
        )
        if visit.known:
            head.append("  I remember this conversation", style="cyan")
        self.console.print(head)
        if not visit.known:
            if visit.returning:
                self.console.print(_line("agent", Text(visible(visit.greeting)), "cyan"))
            for said, facts in groupby(visit.learned, lambda learned: learned.said):
                self.console.print(_learned(list(facts), said))
            for answered in visit.answered:
                self.console.print(_line("asks", Text(f"“{visible(answered.question)}”"), "yellow"))
                reply = Text(visible(answered.answer)).append("  from memory", style="dim")
                self.console.print(_line("agent", reply, "cyan"))
        progress.advance(progress.task_ids[0])

    def intermission(self, visits: Iterable[Visit]) -> None:
        """Sum up the first half."""
        new = [visit for visit in visits if not visit.known]
        facts = [item for visit in new for item in visit.learned]
        changed = sum(item.before is not None for item in facts)
        answers = sum(len(visit.answered) for visit in new)
        text = (
            f"Written down: {len(new)} conversations. Learned: {len(facts)} things, {changed} of them changes of mind. "
            f"Answered from memory: {answers} questions."
            if new
            else "Nothing new: every conversation was in memory already."
        )
        self.console.print()
        self.console.print(Text(f"{text} The agent ends here.", style="bold"))

    def greetings(self, greetings: Iterable[Greeting], pid: int) -> None:
        """Show how another process greets the customers."""
        self.console.print()
        title = Text(f"Process {pid}: a new interpreter, which has seen none of this", style="bold")
        self.console.rule(title, style="green")
        table = Table(box=None, show_header=False, padding=(0, 2, 1, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for greeting in greetings:
            visits = f"{greeting.visits} visit{'' if greeting.visits == 1 else 's'}"
            table.add_row(
                Group(Text(visible(greeting.name)), Text(visits, style="dim not bold")),
                Text(visible(greeting.greeting)),
            )
        self.console.print(table)

    def close(self, place: str, commands: Iterable[tuple[str, str]]) -> None:
        """Tell where the memory is and how to look at it."""
        self.console.rule(style="green")
        self.console.print(
            Text.assemble("It is all in ", (place, "bold"), ", and it stays there. Look at it:\n"), soft_wrap=True
        )
        lines = list(commands)
        width = max(len(command) for command, _ in lines)
        for command, what in lines:
            # No frame and no wrapping, so that a line can be copied.
            self.console.print(
                Text.assemble((f"  {command:<{width}}", "green"), (f"  # {what}", "dim")), soft_wrap=True
            )


def _learned(facts: list[Learned], said: str) -> Table:
    """A line for what one sentence taught: the facts, and as many of its words as fit."""
    line = Text(", ").join(map(_fact, facts))
    changed = any(learned.before is not None for learned in facts)
    room = _WIDTH - _LABEL_WIDTH - line.cell_len - 6
    if room >= 20:
        quote = Text(visible(said))
        quote.truncate(room, overflow="ellipsis")
        line.append("  ").append_text(Text.assemble("“", quote, "”", style="dim italic"))
    return _line("changed" if changed else "learned", line, "yellow" if changed else "green")


def _fact(learned: Learned) -> Text:
    name = _LABELS.get(learned.fact, learned.fact.removeprefix("family-").replace("-", " "))
    before, after = (_shown(value) for value in (learned.before, learned.after))
    if learned.before is None:
        return Text.assemble(f"{name} ", (after, "bold green"))
    if learned.after is None:
        return Text.assemble(f"{name} ", (before, "strike dim"), (" no longer", "bold yellow"))
    return Text.assemble(f"{name} ", (before, "strike dim"), " → ", (after, "bold yellow"))


def _shown(value: object) -> str:
    text = shown_value(value)
    return _VALUES.get(text, visible(text))


def _line(label: str, text: Text, style: str) -> Table:
    """A line under a conversation: a label, and what happened."""
    line = Table.grid(padding=(0, 1))
    line.add_column(width=_LABEL_WIDTH, justify="right", style=style)
    line.add_column(overflow="fold")
    line.add_row(label, text)
    return line
