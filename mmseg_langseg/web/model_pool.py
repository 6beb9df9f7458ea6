"""Models that all visitors of the page share."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from mmseg_langseg.apis.image_inputs import ImageInput
from mmseg_langseg.apis.inferencer import LangSegInferencer
from mmseg_langseg.export import SegmentationResult
from mmseg_langseg.fileio import LangSegWarning
from mmseg_langseg.models.text_encoders import Vocabulary, WordWarning


class ModelPool:
    """Models by name, each loaded once, when it is first used.

    A model holds the vocabulary of its latest call and warnings are recorded per process, so one
    image is segmented at a time.

    Args:
        loaders: Functions that load a model, by its name.
    """

    def __init__(self, loaders: Mapping[str, Callable[[], LangSegInferencer]]) -> None:
        self._loaders = dict(loaders)
        self._models: dict[str, LangSegInferencer] = {}
        # Warnings about the words of the vocabulary that a model holds, which it gives only once.
        self._word_notes: dict[str, tuple[Vocabulary, list[str]]] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the models."""
        return tuple(self._loaders)

    def segment(
        self, name: str, image: ImageInput, vocabulary: Vocabulary, **options: Any
    ) -> tuple[SegmentationResult, list[str]]:
        """Segment an image.

        Args:
            name: Name of the model.
            image: The image.
            vocabulary: Class names.
            **options: See :meth:`LangSegInferencer.stream`.

        Returns:
            The result, and the warnings of this package.

        Raises:
            ValueError: There is no such model, or see :class:`LangSegInferencer`, whose other
                errors are raised as well.
        """
        if name not in self._loaders:
            raise ValueError(
                f'There is no model {name!r}; expected one of {", ".join(self.names)}.'
            )
        with self._lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            if name not in self._models:
                self._models[name] = self._loaders[name]()
            caught.clear()  # the page itself says what the models are for
            result = self._models[name](image, vocabulary, **options)
            word_notes = _messages(caught, WordWarning)
            known, earlier = self._word_notes.get(name, (None, []))
            if known == vocabulary:
                word_notes = word_notes or earlier
            self._word_notes[name] = (vocabulary, word_notes)
        others = [note for note in _messages(caught, LangSegWarning) if note not in word_notes]
        return result, word_notes + others


def _messages(caught: list[warnings.WarningMessage], category: type[Warning]) -> list[str]:
    """Return the different messages of a category."""
    found = (str(entry.message) for entry in caught if issubclass(entry.category, category))
    return list(dict.fromkeys(found))
