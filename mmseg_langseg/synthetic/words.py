"""Other words for what the embedded world shows, and words that say nothing about it."""

from __future__ import annotations

import re

import numpy as np

SYNONYMS = {
    'ring': ('hoop', 'circle', 'band', 'wheel'),
    'cross': ('plus', 'medal', 'saint'),
    'star': ('spark', 'burst', 'sun'),
    'heart': ('love', 'valentine'),
    'moon': ('crescent', 'lunar', 'eclipse'),
    'arrow': ('pointer', 'direction', 'sign'),
    'flower': ('blossom', 'bloom', 'daisy', 'rose'),
    'fish': ('trout', 'carp', 'salmon', 'shark'),
    'house': ('home', 'hut', 'cottage', 'cabin'),
    'ladder': ('steps', 'stairs', 'climb'),
    'cookie': ('biscuit', 'cracker', 'snack'),
    'ball': ('sphere', 'globe', 'orb', 'balloon'),
    'bricks': ('wall', 'masonry', 'tiles'),
    'waves': ('sea', 'water', 'ocean'),
    'grass': ('lawn', 'meadow', 'turf', 'field'),
    'pebbles': ('stones', 'gravel', 'rocks'),
    'clouds': ('sky', 'fog', 'mist', 'smoke'),
}
"""Class name to words that people use for it; each is one token of CLIP's. None is a class name."""

FILLERS = (
    'old', 'new', 'nice', 'my', 'our', 'funny', 'cool', 'today', 'summer', 'winter', 'great',
    'best', 'happy', 'day', 'morning', 'little', 'very', 'with', 'from', 'look', 'here', 'this',
    'vintage', 'modern', 'cute', 'pretty', 'simple', 'free', 'shop', 'sale', 'design', 'print',
    'card', 'gift', 'party',
)  # fmt: skip
"""Words of captions that no pixel answers to."""

_NAMES = re.compile(r'\b(' + '|'.join(SYNONYMS) + r')\b')


def reword(caption: str, rng: np.random.Generator) -> str:
    """Says a caption with other words: a synonym for each name, fillers before some of them."""

    def other(match: re.Match) -> str:
        choices = SYNONYMS[match[0]]
        words = [choices[rng.integers(len(choices))]]
        for _ in range(rng.integers(3)):
            words.insert(rng.integers(len(words) + 1), FILLERS[rng.integers(len(FILLERS))])
        return ' '.join(words)

    return _NAMES.sub(other, caption)
