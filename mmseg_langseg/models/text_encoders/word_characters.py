"""Check class names for control characters and special tokens of CLIP."""

from __future__ import annotations

import html
import reprlib
import unicodedata

from open_clip.tokenizer import get_clean_fn

MARKS = ('<start_of_text>', '<end_of_text>', '<|startoftext|>', '<|endoftext|>')
# No class name of a public dataset contains these; such a word is an unparsed list.
LISTING = ';[]'
BLANKS = '\t\n\r\v\f'
# Joiners are part of the spelling in Persian, in Indian scripts and in emoji.
JOINERS = '\u200c\u200d'


def check_characters(word: str) -> None:
    """Check that a word contains only text, so that the text encoder reads it as displayed.

    Raises:
        ValueError: The word contains a control character (NUL, a byte-order mark, an escape, half
            a surrogate pair, ...) or a Unicode noncharacter, a start or end token of CLIP, which
            ends the sentence early, or a character of list notation.
    """
    for character in word:
        kind = unicodedata.category(character)
        hidden = kind in ('Cc', 'Cs') or (kind == 'Cf' and character not in JOINERS)
        if hidden or _is_noncharacter(ord(character)):
            if character in BLANKS:
                continue
            name = unicodedata.name(character, 'control character')
            raise ValueError(
                f'The word {reprlib.repr(word)} holds U+{ord(character):04X} '
                f'({_KNOWN.get(character, name.lower())}): remove it, only text is read.'
            )
    # CLIP's tokenizer unescapes HTML entities twice and ignores letter case.
    plain = html.unescape(html.unescape(word)).lower()
    for mark in MARKS:
        if mark in plain:
            raise ValueError(
                f'The word {reprlib.repr(word)} holds {mark}, which CLIP uses to mark the ends of '
                'a sentence: remove it.'
            )
    listed = next((character for character in LISTING if character in word), None)
    if listed:
        raise ValueError(
            f'The word {reprlib.repr(word)} contains {listed!r}, which no class name may. Write '
            "classes as one string, 'cat; dog, puppy; grass' (semicolons between classes, commas "
            "before synonyms), or as a list with one entry per class, ['cat', 'dog, puppy']."
        )


def as_read(word: str) -> str:
    """Return a word as CLIP's tokenizer reads it.

    Letter case, repeated blanks, Unicode normal forms, ligatures, full-width letters, typographic
    quotes and HTML entities do not count.
    """
    return _clean(word)


def _is_noncharacter(code: int) -> bool:
    """Return whether Unicode reserves a code; XML and YAML files must not contain some of these."""
    return code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF


_clean = get_clean_fn('lower')
_KNOWN = {'\0': 'NUL', '\ufeff': 'byte-order mark'}
