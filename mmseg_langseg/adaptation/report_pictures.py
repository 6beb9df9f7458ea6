"""Pictures of a report: photos and their segmentations, inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from mmseg_langseg.apis.image_inputs import ImageInput
from mmseg_langseg.export import class_colors
from mmseg_langseg.export.draw_overlay import class_shares, color_classes
from mmseg_langseg.verdict import Photo

from .candidate import Candidate
from .measurements import Measurements

LONGEST_SIDE = 512
_QUALITY = 80
_MOST_NAMED = 8
_OPACITY = 0.7  # the photo is shown beside it


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI.

    Attributes:
        uri: JPEG as ``data:image/jpeg;base64,...``.
        text: What it shows.
    """

    uri: str
    text: str


def photo_pictures(photos: Sequence[Photo]) -> list[Picture]:
    """Return reduced photos."""
    return [Picture(_uri(Image.fromarray(photo.load())), f'Photo {photo.name}') for photo in photos]


def segmented_pictures(
    candidate: Candidate, measurements: Measurements, photos: Sequence[Photo]
) -> tuple[list[Picture], dict[str, str]]:
    """Segment photos and draw the class colors over them.

    Returns:
        The pictures, and the CSS color of each class that occurs.
    """
    segment = measurements.load(candidate)
    inputs = [ImageInput(photo.name, photo.load) for photo in photos]
    pictures, colors = [], {}
    for result in segment.stream(inputs, measurements.vocabulary):
        shares = {result.classes[i]: share for i, share in class_shares(result).items()}
        named = [f'{name} {share:.0%}' for name, share in list(shares.items())[:_MOST_NAMED]]
        text = f'{result.name} segmented by {candidate.name}: {", ".join(named)}'
        pictures.append(Picture(_uri(color_classes(result, _OPACITY)), text))
        values = dict(zip(result.classes, class_colors(result.classes).tolist(), strict=True))
        colors.update({name: 'rgb({}, {}, {})'.format(*values[name]) for name in shares})
    return pictures, colors


def _uri(image: Image.Image) -> str:
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=_QUALITY)
    return f'data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}'
