"""Vocabulary: class names, synonyms and background words."""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmseg_langseg.fileio import show_value

from .word_characters import as_read, check_characters

SHIPPED = Path(__file__).parents[2] / 'vocabularies'
BACKGROUND = 'background'
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Vocabulary:
    """Class names in index order, their synonyms, and background words.

    Synonyms are averaged into one embedding, unless ``separate_synonyms`` is set: each then has its
    own, and the score of a class is that of its best word (the rule of SCLIP, ClearCLIP and
    NACLIP). Background words describe what is not of interest: each has its own embedding, and a
    pixel whose best match is one of them gets the class ``background``. That is the class of this
    name, at any position in ``names``; if there is none, it is appended. Its own name is then not
    encoded: to use it as well, add 'background' to the background words.

    Args:
        names: One name per class.
        synonyms: Synonyms of each class, as many entries as ``names``; none by default.
        background: Words of each background entry: the first is its name, the others synonyms.
        separate_synonyms: Whether each synonym has its own embedding.

    Raises:
        ValueError: If there is no name, one is empty, CLIP reads two words as the same (e.g. they
            differ in letter case or Unicode normal form only), or a word contains something other
            than text (control characters, CLIP's start and end tokens) or list characters (``;``,
            ``[`` and ``]``).
    """

    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...] = ()
    background: tuple[tuple[str, ...], ...] = ()
    separate_synonyms: bool = False

    def __post_init__(self) -> None:
        names = tuple(_clean(name) for name in self.names)
        synonyms = tuple(tuple(_clean(word) for word in words) for words in self.synonyms)
        background = tuple(tuple(_clean(word) for word in words) for words in self.background)
        if not names:
            raise ValueError('The vocabulary is empty: give at least one class name.')
        synonyms = synonyms or ((),) * len(names)
        if len(synonyms) != len(names):
            raise ValueError(f'{len(synonyms)} lists of synonyms for {len(names)} names.')
        if background and BACKGROUND not in map(str.lower, names):
            names, synonyms = (*names, BACKGROUND), (*synonyms, ())
        object.__setattr__(self, 'names', names)
        object.__setattr__(self, 'synonyms', synonyms)
        object.__setattr__(self, 'background', background)
        self._check_words()

    @classmethod
    def from_names(
        cls,
        names: Iterable[str],
        background: Iterable[str] = (),
        separate_synonyms: bool = False,
    ) -> Vocabulary:
        """Creates a vocabulary from one string per class, such as a ``metainfo['classes']``.

        Commas separate synonyms: ``'dog, puppy'``. Surrounding blanks are removed.
        """
        if isinstance(names, str):
            raise ValueError(
                f'names={show_value(names)} is one string; use from_string, or give a list.'
            )
        if isinstance(names, Mapping) or not isinstance(names, Iterable):
            raise ValueError(f'names={reprlib.repr(names)}: expected a list of strings.')
        entries = [_split(name, position) for position, name in enumerate(names, 1)]
        background = [_split(word, position) for position, word in enumerate(background, 1)]
        return cls(
            tuple(words[0] for words in entries),
            tuple(words[1:] for words in entries),
            tuple(background),
            separate_synonyms,
        )

    @classmethod
    def from_string(cls, texts: str) -> Vocabulary:
        """Creates a vocabulary from a string such as ``'cat; dog, puppy; grass'``.

        Semicolons separate classes (one at the end is allowed), commas separate synonyms.
        """
        *names, last = texts.split(';')
        return cls.from_names([*names, last] if last.strip() or not names else names)

    @classmethod
    def from_json(cls, path: str | os.PathLike) -> Vocabulary:
        """Reads a JSON file ``{"classes": ["cat", "dog, puppy"], "background": ["grass"]}``.

        ``background`` is optional, and so are ``"separate_synonyms": true`` and ``source``, which
        may say where the names come from. A bare file name that is not in the working folder is
        looked up among the bundled files, one per benchmark and some with a paper's names
        (``voc20.json``, ``voc20_maskclip.json``...).

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file has other content, is not UTF-8 (with or without byte-order
                mark), is larger than 16 MiB, or its names are not a valid vocabulary.
        """
        given = Path(path)
        path = given if given.is_file() or given.parent != Path() else SHIPPED / given
        if not path.is_file():
            shipped = sorted(file.name for file in SHIPPED.glob('*.json'))
            raise FileNotFoundError(
                f"No vocabulary file '{given}'. Give the path of a JSON file; shipped: {shipped}."
            )
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError(f'larger than {MAX_BYTES // 2**20} MiB, the size limit.')
            content = json.loads(path.read_text(encoding='utf-8-sig'))
            _check_schema(content)
            return cls.from_names(
                content['classes'],
                content.get('background', []),
                content.get('separate_synonyms', False),
            )
        except RecursionError as error:
            raise ValueError(f"Vocabulary file '{path}': nested too deeply.") from error
        except ValueError as error:  # JSON and UTF-8 errors are among them
            raise ValueError(f"Vocabulary file '{path}': {error}") from error

    @classmethod
    def parse(cls, vocabulary: Vocabulary | str | os.PathLike | Sequence[str]) -> Vocabulary:
        """Parses a config value: a list of names, the path of a ``.json``, or ``'a; b, c'``."""
        if isinstance(vocabulary, Vocabulary):
            return vocabulary
        if isinstance(vocabulary, os.PathLike) or _names_file(vocabulary):
            return cls.from_json(vocabulary)
        if isinstance(vocabulary, str):
            return cls.from_string(vocabulary)
        return cls.from_names(vocabulary)

    @property
    def num_classes(self) -> int:
        """Number of classes, including that of the background words."""
        return len(self.names)

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """Words of each embedding row, a class with its synonyms or a background entry."""
        return tuple(words for _, words in self._class_rows())

    @property
    def row_classes(self) -> tuple[int, ...]:
        """Class index of each embedding row, ascending."""
        return tuple(index for index, _ in self._class_rows())

    def check_num_classes(self, num_classes: int, dataset_name: str) -> None:
        """Checks that the vocabulary has as many classes as a dataset.

        Raises:
            ValueError: If the numbers of classes differ.
        """
        if self.num_classes != num_classes:
            first = ', '.join(map(show_value, self.names[:3]))
            raise ValueError(
                f'The vocabulary has {self.num_classes} classes ({first}, ...) '
                f'but {dataset_name} has {num_classes}: labels are compared by index, so give one '
                'entry for each class of the dataset, in its order (synonyms after commas).'
            )

    def _class_rows(self) -> list[tuple[int, tuple[str, ...]]]:
        rows = []
        for index, (name, synonyms) in enumerate(zip(self.names, self.synonyms, strict=True)):
            if self.background and name.lower() == BACKGROUND:
                rows += [(index, words) for words in self.background]
            else:
                rows.append((index, (name, *synonyms)))
        if self.separate_synonyms:
            return [(index, (word,)) for index, words in rows for word in words]
        return rows

    def _check_words(self) -> None:
        """Checks that names, synonyms and background words are not empty and occur only once."""
        owners: dict[str, tuple[str, str]] = {}
        rows = [(self.names[index], words) for index, words in self._class_rows()]
        if self.background:
            nothing = [i for i, name in enumerate(self.names) if name.lower() == BACKGROUND]
            if len(nothing) > 1:
                raise ValueError("The name 'background' occurs twice in the vocabulary.")
            if self.synonyms[nothing[0]]:
                synonyms = show_value(self.synonyms[nothing[0]])
                raise ValueError(
                    f'The class background has synonyms {synonyms} and there are '
                    'background words: put all of them into the background words.'
                )
        for owner, words in rows:
            for word in words:
                if not word:
                    raise ValueError(f'The vocabulary has an empty name (at {show_value(owner)}).')
                read = as_read(word)
                if read in owners:
                    first, first_owner = owners[read]
                    both = '' if word == first else f', as CLIP reads both as {show_value(read)}'
                    raise ValueError(
                        f'The word {show_value(word)} occurs twice in the vocabulary: in '
                        f'{show_value(first_owner)} and in {show_value(owner)}{both}.'
                    )
                owners[read] = word, owner


def _names_file(vocabulary: object) -> bool:
    return isinstance(vocabulary, str) and vocabulary.lower().endswith('.json')


def _clean(word: str) -> str:
    if not isinstance(word, str):
        raise ValueError(f'A word of a vocabulary must be a string, got {reprlib.repr(word)}.')
    check_characters(word)
    return ' '.join(word.split())


def _split(entry: str, position: int) -> tuple[str, ...]:
    expected = "expected 'name' or 'name, synonym'."
    if not isinstance(entry, str):
        raise ValueError(
            f'Entry {position} of the vocabulary, {reprlib.repr(entry)}, is no string: {expected}'
        )
    words = tuple(word.strip() for word in entry.split(','))
    if not all(words):
        raise ValueError(
            f'Entry {position} of the vocabulary, {reprlib.repr(entry)}, has an empty name: '
            f'{expected}'
        )
    return words


def _check_schema(content: object) -> None:
    if not isinstance(content, dict) or not isinstance(content.get('classes'), list):
        raise ValueError('expected an object with a list "classes".')
    unknown = set(content) - {'classes', 'background', 'separate_synonyms', 'source'}
    if (
        unknown
        or not isinstance(content.get('background', []), list)
        or not isinstance(content.get('separate_synonyms', False), bool)
    ):
        raise ValueError(
            'expected the keys "classes" (list), and optionally "background" (list), '
            f'"separate_synonyms" (true or false) and "source", got {reprlib.repr(content)}.'
        )
