"""Reading and validation of the class names of a labeled folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmseg_langseg.fileio import show_value


def read_class_names(path: Path) -> list[str]:
    """Read a class file.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not UTF-8 text.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f'class file {path} does not exist; expected one class name per line'
        )
    # The byte-order mark that some editors write is not part of the first name.
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not a UTF-8 text file ({error})') from error
    return [line.strip() for line in text.rstrip().splitlines()]


def check_class_names(names: Sequence[str], source: Path | None) -> None:
    """Validate class names by the rules of a vocabulary.

    Commas separate synonyms, and no word occurs twice.

    Args:
        names: Class names.
        source: File that contains them; None: a config.

    Raises:
        ValueError: There is no name, an empty one, one with a semicolon, or a duplicate word; the
            message names the file and the line.
    """
    where = f'{source}, line' if source else 'classes, entry'
    if not names:
        raise ValueError(f'{source or "classes"} contains no class name')
    lines: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if name == '':
            raise ValueError(f'{where} {number}: the class has an empty name')
        if ';' in str(name):
            raise ValueError(
                f'{where} {number}: {show_value(name)} contains a semicolon; expected one '
                'class, with synonyms after commas'
            )
        for word in filter(None, (' '.join(part.split()) for part in str(name).split(','))):
            if word.lower() in lines:
                raise ValueError(
                    f'{where} {number}: {show_value(word)} is a duplicate of number '
                    f'{lines[word.lower()]}; case is ignored'
                )
            lines[word.lower()] = number
