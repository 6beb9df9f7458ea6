"""What a run over many images found and made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ShardReport:
    """What a run found and made.

    Attributes:
        images: Images of the shard.
        made: Images whose files this run made.
        kept: Images whose files were there, complete.
        masks: Masks or regions in all these files.
        seconds: Time that making took by the clock.
        unreadable: (name, reason) of each image or folder that could not be used.
        unreadable_path: File that lists them.
    """

    images: int = 0
    made: int = 0
    kept: int = 0
    masks: int = 0
    seconds: float = 0.0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    unreadable_path: Path | None = None

    @property
    def counts(self) -> dict[str, int]:
        """The numbers that do not depend on when or in how many runs the files were made."""
        return dict(
            images=self.images,
            files=self.made + self.kept,
            masks=self.masks,
            unreadable=len(self.unreadable),
        )

    def describe(self, kind: str = 'masks', most: int = 10) -> str:
        """A line of numbers, and a line for each image that could not be used.

        Args:
            kind: What the files hold.
            most: Images to name; of more, the list is named.
        """
        rate = f', {self.made / self.seconds:.3g} images/s' if self.made else ''
        lines = [
            f'{self.images} images, {self.made} made, {self.kept} kept, {self.masks} {kind}, '
            f'{len(self.unreadable)} could not be used{rate}'
        ]
        lines += [f'  {name:.100}: {reason:.500}' for name, reason in self.unreadable[:most]]
        if self.unreadable:
            lines.append(f"the whole list is in '{self.unreadable_path}'")
        # File names may hold bytes that are no text.
        return '\n'.join(lines).encode(errors='backslashreplace').decode()
