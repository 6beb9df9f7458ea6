"""Part of the report on the environment."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Section:
    """Part of the report on the environment.

    Attributes:
        title: Heading.
        facts: What was found, one line each.
        problems: What is broken and what to do, one line each.
    """

    title: str
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return the heading and the facts, for printing."""
        return [self.title, *(f'  {fact}' for fact in self.facts)]
