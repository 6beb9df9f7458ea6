"""Characters and tokens that are no part of a word."""

from __future__ import annotations

import html
import reprlib
import unicodedata

MARKS = ('<start_of_text>', '<end_of_text>', '<|startoftext|>', '<|endoftext|>')
# No class of a public dataset has one, so it is a list that was taken for a word.
LISTING = ';[]'
BLANKS = '\t\n\r\v\f'
# Joiners are spelling in Persian, in Indian scripts and in emoji.
JOINERS = '\u200c\u200d'


def check_characters(word: str) -> None:
    """Make sure that a text encoder reads a word as a person does.

    Raises:
        ValueError: The word holds a control character (NUL, a byte-order mark, an escape, half a
            surrogate pair, ...), a start or end token of CLIP, which ends the sentence early, or a
            character with which lists of words are written.
    """
    for character in word:
        kind = unicodedata.category(character)
        if kind in ('Cc', 'Cs') or (kind == 'Cf' and character not in JOINERS):
            if character in BLANKS:
                continue
            name = unicodedata.name(character, 'control character')
            raise ValueError(
                f'The word {reprlib.repr(word)} holds U+{ord(character):04X} '
                f'({_KNOWN.get(character, name.lower())}): remove it, only text is read.'
            )
    # CLIP's tokenizer resolves HTML entities twice and does not mind letter case.
    plain = html.unescape(html.unescape(word)).lower()
    for mark in MARKS:
        if mark in plain:
            raise ValueError(
                f'The word {reprlib.repr(word)} holds {mark}, with which CLIP marks the ends of a '
                'sentence: remove it.'
            )
    listed = next((character for character in LISTING if character in word), None)
    if listed:
        raise ValueError(
            f'The word {reprlib.repr(word)} holds {listed!r}, which is no part of a word. Write '
            "classes as one string, 'cat; dog, puppy; grass' (semicolons between classes, commas "
            "before synonyms), or as a list with one entry per class, ['cat', 'dog, puppy']."
        )


_KNOWN = {'\0': 'NUL', '\ufeff': 'byte-order mark'}
