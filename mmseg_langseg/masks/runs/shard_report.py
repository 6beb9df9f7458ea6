"""Report of a sharded run over many images."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class ShardReport:
    """Counts, time and unreadable images of a sharded run.

    Attributes:
        images: Images of the shard.
        made: Images processed by this run.
        kept: Images whose files were already complete.
        masks: Masks or regions in all these files.
        seconds: Wall-clock time of the processing.
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
        """Counts that do not depend on when or in how many runs the files were generated."""
        return dict(
            images=self.images,
            files=self.made + self.kept,
            masks=self.masks,
            unreadable=len(self.unreadable),
        )

    def describe(self, kind: str = 'masks', most: int = 10) -> str:
        """Format the counts as one line, followed by one line per image that could not be used.

        Args:
            kind: What is counted, such as 'masks'.
            most: Maximum number of images to list; the full list is in ``unreadable_path``.
        """
        rate = f', {self.made / self.seconds:.3g} images/s' if self.made else ''
        lines = [
            f'{self.images} images, {self.made} made, {self.kept} kept, {self.masks} {kind}, '
            f'{len(self.unreadable)} could not be used{rate}'
        ]
        lines += [f'  {name:.100}: {reason:.500}' for name, reason in self.unreadable[:most]]
        if self.unreadable:
            lines.append(f"the full list is in '{self.unreadable_path}'")
        # File names may contain bytes that are not text.
        return '\n'.join(lines).encode(errors='backslashreplace').decode()
