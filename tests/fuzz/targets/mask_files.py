"""Fuzz target: SA-1B mask JSON, which is read, filtered, looked up, decoded and halved."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from mmseg_langseg.fileio import BadFileError, open_image_source
from mmseg_langseg.masks import MaskFilter, masks_to_regions
from mmseg_langseg.masks.formats import encode_masks, lookup_rles, merge_rles, read_mask_annotations
from mmseg_langseg.masks.runs import halve_images
from tests.fuzz.harness import fill_outside
from tests.fuzz.strategies import HOSTILE_NAMES, mutated_json
from tests.fuzz.target import Target

SIZE = (20, 30)


def counts() -> st.SearchStrategy:
    """Draw RLE counts that are invalid in various ways."""
    digits = st.text(alphabet=[chr(48 + digit) for digit in range(64)], max_size=40)
    runs = st.lists(
        st.sampled_from((0, 1, 5, 600, 601, 2**31, 2**32 - 1, 2**32 + 600, 2**63, 10**25)),
        max_size=6,
    )
    return st.one_of(digits, runs, wrapped_counts(), st.lists(st.integers(0, 300), max_size=6))


def wrapped_counts() -> st.SearchStrategy:
    """Draw runs far larger than the mask that sum to its area modulo 2**32 or 2**64."""
    goals = st.sampled_from(((2**32, 9), (2**32, 599), (2**33, 100), (2**64, 92_800)))
    return goals.map(lambda goal: runs_that_wrap(goal[0] + SIZE[0] * SIZE[1], goal[1]))


@lru_cache
def runs_that_wrap(goal: int, number: int) -> str:
    """Return the counts of ``number`` runs (one fewer if even) that sum to ``goal``."""
    pairs = (number - 3) // 2
    # The first runs are 0, 1 and 1; each later pair is longer by ``step``.
    step = goal // (pairs * (pairs + 1)) - 1
    differences = [0, 1, 1, *[step] * (2 * pairs)]
    runs = differences[:3]
    for i in range(3, len(differences)):
        runs.append(runs[i - 2] + differences[i])
    differences[-1] += goal - sum(runs)
    return encode_runs(differences)


def encode_runs(differences: list[int]) -> str:
    """Encode numbers as COCO's compressed counts string."""
    text = []
    for value in differences:
        more = True
        while more:
            digit = value & 31
            value >>= 5
            more = value != -1 if digit & 16 else value != 0
            text.append(chr((digit | 32 if more else digit) + 48))
    return ''.join(text)


@st.composite
def documents(draw: st.DrawFn) -> dict:
    """Draw mask files that are valid except, sometimes, for the counts of one mask."""
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    rles = encode_masks(rng.random((draw(st.integers(0, 3)), *SIZE)) < 0.5)
    if rles:
        own = rles[0]['counts']
        rles[0]['counts'] = draw(st.just(own) | st.just([100, 200, 300]) | counts())
    annotations = [
        dict(id=i, segmentation=rle, predicted_iou=0.9, stability_score=0.9, area=9)
        | dict(bbox=[0, 0, 5, 5], point_coords=[[1.5, 2.5]], crop_box=[0, 0, 30, 20])
        for i, rle in enumerate(rles)
    ]
    image = dict(image_id=1, width=SIZE[1], height=SIZE[0], file_name='x.jpg')
    return dict(image=image, annotations=annotations)


def prepare(content: bytes, inputs: Path) -> None:
    (inputs / 'x.json').write_bytes(fill_outside(content, inputs))


def run(inputs: Path, out: Path) -> None:
    annotations = read_mask_annotations(inputs / 'x.json', image_name='x.jpg')
    size = tuple(annotations[0]['segmentation']['size']) if annotations else SIZE
    annotations = read_mask_annotations(inputs / 'x.json', size, 'x.jpg')
    MaskFilter(0.01, 0.9, 0.5, max_masks=2)(annotations, str(inputs / 'x.json'))
    rles = [annotation['segmentation'] for annotation in annotations]
    index = np.arange(min(size[0] * size[1], 600)).reshape(-1, 1)
    looked_up = lookup_rles(rles, index)
    # Larger ones would dominate the run time.
    if rles and size[0] * size[1] <= 10_000:
        regions = masks_to_regions(rles, *size)
        flat = regions.reshape(-1)[index]
        assert np.array_equal(flat > 0, looked_up.any(0)), 'two ways to read a mask differ'
        merge_rles(rles)
    Image.new('RGB', size[::-1] if size[0] * size[1] <= 10_000 else SIZE).save(out / 'x.jpg')
    source = open_image_source(out)
    halved = halve_images(
        source, lambda name: (inputs / name).read_bytes(), out / 'half', progress=False
    )
    assert halved.made + len(halved.unreadable) == 1


CASES = mutated_json(documents(), counts() | st.sampled_from(HOSTILE_NAMES))
TARGET = Target(CASES, prepare, run, (BadFileError,), ('x.json',))
