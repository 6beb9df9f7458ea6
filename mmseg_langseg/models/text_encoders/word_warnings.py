"""Warnings about class names that the text encoder truncates or does not know."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Callable, Collection, Sequence

from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

from mmseg_langseg.fileio import LangSegWarning

from .tokenizers import decode_ids, num_special_tokens, word_ids

MOST = 5
# The functions here are called by a method that torch.no_grad() wraps.
_CALLER = 4


class WordWarning(LangSegWarning):
    """Warning about class names, given when they are encoded."""


def warn_of_cut_words(
    words: Sequence[str],
    templates: Sequence[str],
    tokenizer: SimpleTokenizer | HFTokenizer,
    context_length: int,
) -> None:
    """Warn about words that, in a template, exceed the text encoder's context.

    Args:
        words: Words of a vocabulary.
        templates: Sentences with one ``{}`` each.
        tokenizer: The model's tokenizer.
        context_length: Maximum number of tokens, including start and end.
    """
    special = num_special_tokens(tokenizer)
    room = context_length - special
    cut = []
    for word in words:
        long = [t for t in templates if not _is_short(t + word, room + 2)]
        longest = max(long, key=lambda t: _count(tokenizer, t, word), default=None)
        if longest is not None and _count(tokenizer, longest, word) > room:
            left = decode_ids(tokenizer, word_ids(tokenizer, longest.replace('{}', word))[:room])
            count = _count(tokenizer, longest, word) + special
            cut.append(f'{_short(word)} in {longest!r} has {count}, and only {left!r} is read')
    if cut:
        warnings.warn(
            f'The text encoder reads {context_length} tokens of a sentence: {_some(cut)}. Use '
            'shorter words.',
            WordWarning,
            stacklevel=_CALLER,
        )


def _is_short(text: str, limit: int) -> bool:
    """Return whether a sentence is sure to fit: in ASCII, a token is one character or more."""
    return len(text) <= limit and text.isascii()


def _count(tokenizer: SimpleTokenizer | HFTokenizer, template: str, word: str) -> int:
    return len(word_ids(tokenizer, template.replace('{}', word)))


def warn_of_unknown_words(
    words: Sequence[str],
    token_ids: Callable[[str], Sequence[int]],
    trained: Collection[int],
    name: str | None,
) -> None:
    """Warn about words with tokens that a small CLIP was never trained on.

    Args:
        words: Words of a vocabulary.
        token_ids: Returns the ids of a word.
        trained: Ids of the tokens that the CLIP was trained on.
        name: Name of its weights.
    """
    unknown = [_short(word) for word in words if not set(token_ids(word)) <= set(trained)]
    if unknown:
        warnings.warn(
            f"The small CLIP '{name}' was trained with {len(trained)} tokens. It does not know "
            f'{_some(unknown)}: results for them are meaningless. '
            'mmseg_langseg.synthetic.words lists the words that it knows; a pretrained CLIP knows '
            'all words.',
            WordWarning,
            stacklevel=_CALLER,
        )


def _short(word: str) -> str:
    return reprlib.repr(word)


def _some(parts: Sequence[str]) -> str:
    rest = f' and {len(parts) - MOST} more' if len(parts) > MOST else ''
    return '; '.join(parts[:MOST]) + rest
