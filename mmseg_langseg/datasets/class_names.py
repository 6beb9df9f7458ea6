"""Class names of a folder of the user's own, one a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseg_langseg.fileio import show_value


def read_class_names(path: Path) -> list[str]:
    """Read a class file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no text.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'class file {path} does not exist; expected one class name per line'
        )
    # A byte-order mark, as some editors write it, is not part of the first name.
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is no text file in UTF-8 ({error})') from error
    return [line.strip() for line in text.rstrip().splitlines()]


def check_class_names(names: Sequence[str], source: Path | None) -> None:
    """Make sure that names can be those of classes.

    The rules of a vocabulary, which names are when a model reads them: commas separate synonyms,
    and no word occurs twice.

    Args:
        names: The names.
        source: File that they come from; None: from a config.

    Raises:
        ValueError: There is no name, an empty one, one with a semicolon, or a word twice; names
            the file and the line.
    """
    where = f'{source}, line' if source else 'classes, entry'
    if not names:
        raise ValueError(f'{source or "classes"} holds no class name')
    lines: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name == '':
            raise ValueError(f'{where} {number}: the class has an empty name')
        if ';' in str(name):
            raise ValueError(
                f'{where} {number}: {show_value(name)} holds a semicolon; expected one class, '
                'synonyms after commas'
            )
        for word in filter(None, (' '.join(part.split()) for part in str(name).split(','))):
            if word.lower() in lines:
                raise ValueError(
                    f'{where} {number}: {show_value(word)} is there twice, first as number '
                    f'{lines[word.lower()]}; upper and lower case make no difference'
                )
            lines[word.lower()] = number
