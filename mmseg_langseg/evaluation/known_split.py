"""Split of the classes of a dataset into known and unknown classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mmseg_langseg.models.text_encoders import Vocabulary


@dataclass(frozen=True)
class KnownSplit:
    """Classes of a dataset, split into known and unknown.

    Attributes:
        known: Dataset names of the known classes.
        unknown: Dataset names of the others.
        strangers: Known classes that are not in the dataset.
    """

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    strangers: tuple[str, ...]

    @classmethod
    def of(
        cls, known: Vocabulary, classes: Sequence[str], vocabulary: Vocabulary | None = None
    ) -> KnownSplit:
        """Find the known classes among the classes of a dataset.

        A known name matches a class if it is its dataset name or one of its names in the test
        vocabulary; letter case and repeated spaces are ignored.

        Args:
            known: Known classes of a training.
            classes: The dataset's ``metainfo['classes']``.
            vocabulary: Test vocabulary with an entry for each class; by default the classes.
        """
        words = [{_clean(word) for word in name.split(',')} for name in classes]
        if vocabulary is not None and vocabulary.num_classes == len(classes):
            entries = zip(words, vocabulary.names, vocabulary.synonyms, strict=True)
            for own, name, synonyms in entries:
                own.update(map(_clean, (name, *synonyms)))
        entries = list(zip(known.names, known.synonyms, strict=True))
        found = [
            [bool(own & {_clean(word) for word in (name, *more)}) for own in words]
            for name, more in entries
        ]
        is_known = [any(column) for column in zip(*found, strict=True)]
        return cls(
            tuple(name for name, yes in zip(classes, is_known, strict=True) if yes),
            tuple(name for name, yes in zip(classes, is_known, strict=True) if not yes),
            tuple(name for (name, _), row in zip(entries, found, strict=True) if not any(row)),
        )

    def differences(self, metric_unknown: Sequence[str]) -> str:
        """Describe how a metric's split differs from this one; '' if it does not.

        Args:
            metric_unknown: ``unknown`` of a :class:`KnownUnknownIoUMetric`.
        """
        counted = {_clean(name) for name in metric_unknown}
        wrong = {
            'the model knows, but the metric counts as unknown': [
                name for name in self.known if _clean(name) in counted
            ],
            'the metric counts as known, but the model does not know': [
                name for name in self.unknown if _clean(name) not in counted
            ],
        }
        return '; '.join(f'{what}: {_list(names)}' for what, names in wrong.items() if names)


def _clean(word: str) -> str:
    return ' '.join(word.split()).lower()


def _list(names: Sequence[str], most: int = 10) -> str:
    rest = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + rest
