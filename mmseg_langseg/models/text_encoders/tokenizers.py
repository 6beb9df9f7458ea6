"""Tokenizers of open_clip's models: CLIP's own, and those of Hugging Face."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
from open_clip.tokenizer import HFTokenizer, SimpleTokenizer
from torch import Tensor

from ..clip_arch import arch_config, is_stored

# Two words of one token each in any tokenizer, such that a sentence shows where they are.
_PROBES = (('x', 'y'), ('a', 'b'), ('cat', 'dog'), ('one', 'two'), ('red', 'car'))


def load_tokenizer(arch: str | Mapping) -> SimpleTokenizer | HFTokenizer:
    """Return the tokenizer of an architecture, see ``clip_arch.arch_config``.

    Raises:
        RuntimeError: The tokenizer is one of Hugging Face, which is not on this machine and cannot
            be downloaded, or the package transformers is missing.
    """
    text = arch_config(arch)['text_cfg']
    name, options = text.get('hf_tokenizer_name'), text.get('tokenizer_kwargs') or {}
    length = text.get('context_length', 77)
    if not name:
        return _simple_tokenizer(length, tuple(sorted(options.items())))
    if is_stored(arch) and not arch.startswith('hf-hub:'):
        name = arch.removeprefix('local-dir:')  # its folder also has the tokenizer
    try:
        mode = text.get('tokenizer_mode')
        return HFTokenizer(name, context_length=length, tokenizer_mode=mode, **options)
    except ImportError as error:
        raise RuntimeError(
            f"The tokenizer '{name}' is one of Hugging Face: it needs the package transformers "
            "(pip install 'mmseg_langseg[transformers]')."
        ) from error
    except (OSError, ValueError) as error:
        raise RuntimeError(
            f"The tokenizer '{name}' is not on this machine, and could not be downloaded from "
            f'Hugging Face ({type(error).__name__}: {str(error).splitlines()[0]}). Fetch it on '
            "another machine, and give its folder as arch's text_cfg.hf_tokenizer_name."
        ) from error


@functools.cache
def _simple_tokenizer(length: int, options: tuple) -> SimpleTokenizer:
    # Reading its BPE merges takes longer than building a small model.
    return SimpleTokenizer(context_length=length, **dict(options))


def word_ids(tokenizer: SimpleTokenizer | HFTokenizer, text: str) -> list[int]:
    """Return the token ids of a text, without start, end and padding."""
    if isinstance(tokenizer, HFTokenizer):
        return tokenizer.tokenizer.encode(tokenizer.clean_fn(text), add_special_tokens=False)
    return tokenizer.encode(text)


def decode_ids(tokenizer: SimpleTokenizer | HFTokenizer, ids: Sequence[int]) -> str:
    """Return the text of token ids."""
    if isinstance(tokenizer, HFTokenizer):
        return tokenizer.tokenizer.decode(ids)
    return tokenizer.decode(ids)


def num_special_tokens(tokenizer: SimpleTokenizer | HFTokenizer) -> int:
    """Return how many tokens, such as start and end, are added to each sentence."""
    if isinstance(tokenizer, HFTokenizer):
        return tokenizer.tokenizer.num_special_tokens_to_add()
    return 2


def sentence_layout(
    tokenizer: SimpleTokenizer | HFTokenizer, template: str, length: int, context_length: int
) -> tuple[Tensor, int]:
    """Tokenize a template with placeholders for a prompt.

    The placeholders are found as the tokens in which the sentences of two words differ, so that
    nothing is assumed about the tokenizer.

    Args:
        tokenizer: The tokenizer.
        template: Sentence with one ``{}``.
        length: Number of placeholders L.
        context_length: Number of tokens of the sentence.

    Returns:
        Token ids ``(context_length,)`` int64, and the position of the first placeholder.

    Raises:
        ValueError: The sentence exceeds the context.
    """
    before, after = template.split('{}')
    for words in _PROBES:
        texts = [_spaced(before, ' '.join([word] * length), after) for word in words]
        long = tokenizer(texts, context_length=context_length + 4 * len(max(texts, key=len)))
        places = (long[0] != long[1]).nonzero().flatten().tolist()
        if places and places == list(range(places[0], places[0] + length)):
            break
    else:
        raise ValueError(f'The tokenizer splits the placeholders of a prompt in {template!r}.')
    ids = tokenizer(texts[:1], context_length=context_length)[0]
    beyond = long[0, context_length:]
    if not torch.equal(ids, long[0, :context_length]) or (beyond != beyond[-1]).any():
        # Padding repeats the last token.
        needed = int((long[0] != long[0, -1]).nonzero().max()) + 1
        raise ValueError(
            f'{template!r} with prompts of {length} tokens needs '
            f'{max(needed, context_length + 1)} tokens, but the text tower takes '
            f'{context_length}: use shorter prompts.'
        )
    return ids, places[0]


def _spaced(before: str, words: str, after: str) -> str:
    """Join the parts of a sentence, such that words are not glued to letters."""
    left = ' ' if before and before[-1].isalnum() else ''
    right = ' ' if after and after[0].isalnum() else ''
    return f'{before}{left}{words}{right}{after}'
