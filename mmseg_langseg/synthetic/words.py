"""Synonyms of the bundled synthetic dataset's class names, and filler words for captions."""

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
"""Synonyms by class name; each is a single CLIP token, and none is itself a class name."""

FILLERS = (
    'old', 'new', 'nice', 'my', 'our', 'funny', 'cool', 'today', 'summer', 'winter', 'great',
    'best', 'happy', 'day', 'morning', 'little', 'very', 'with', 'from', 'look', 'here', 'this',
    'vintage', 'modern', 'cute', 'pretty', 'simple', 'free', 'shop', 'sale', 'design', 'print',
    'card', 'gift', 'party',
)  # fmt: skip
"""Filler words of captions, unrelated to the image."""

_NAMES = re.compile(r'\b(' + '|'.join(SYNONYMS) + r')\b')


def reword(caption: str, rng: np.random.Generator) -> str:
    """Rephrase a caption: replace class names by synonyms and add filler words around some."""

    def other(match: re.Match) -> str:
        choices = SYNONYMS[match[0]]
        words = [choices[rng.integers(len(choices))]]
        for _ in range(rng.integers(3)):
            words.insert(rng.integers(len(words) + 1), FILLERS[rng.integers(len(FILLERS))])
        return ' '.join(words)

    return _NAMES.sub(other, caption)
