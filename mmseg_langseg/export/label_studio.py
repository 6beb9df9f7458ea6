"""Label Studio tasks with brush masks as predictions."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from mmseg_langseg.fileio import open_whole_file

from .annotation_exporter import AnnotationExporter
from .brush_rle import encode_brush_rle
from .class_colors import class_colors
from .segmentation_result import SegmentationResult

_BRUSH, _IMAGE = 'brush', 'image'


class LabelStudioExporter(AnnotationExporter):
    """Write ``label_studio.json``, tasks with one brush mask per class, and ``label_studio.xml``.

    The XML is the labeling interface of the project, with names and colors of the classes.
    ``label_studio_parts`` has the task of each image, from which :meth:`Exporter.finish` assembles
    the file; the folder is not needed afterwards.

    label-studio-sdk encodes brush masks, too, but depends on pandas, NLTK, lxml and a
    second build of OpenCV, which is too much for 30 lines.

    Args:
        folder: Folder to write to.
        classes: Class names.
        overwrite: Replace files that exist.
        skip: Classes that are not annotated.
        image_url: Beginning of the images' URLs, to which their percent-encoded names are appended;
            by default Label Studio's storage of local files.
    """

    suffix = '.json'
    keep_suffix = True

    def __init__(
        self,
        folder: str | os.PathLike,
        classes: Sequence[str],
        overwrite: bool = False,
        skip: Sequence[str] = ('other',),
        image_url: str = '/data/local-files/?d=',
    ) -> None:
        super().__init__(folder, classes, overwrite, skip)
        self.image_url = image_url

    @property
    def root(self) -> Path:
        """Folder of the tasks of single images."""
        return self.folder / 'label_studio_parts'

    def settings(self) -> dict:
        """Return the settings that a resumed run must share, as values for JSON."""
        return dict(super().settings(), image_url=self.image_url)

    def encode(self, name: str, result: SegmentationResult) -> bytes:
        """Return the task of an image as JSON."""
        labels = self.annotated_labels(result)
        masks = [
            dict(
                id=f'{name}:{label}',
                type='brushlabels',
                from_name=_BRUSH,
                to_name=_IMAGE,
                original_width=labels.shape[1],
                original_height=labels.shape[0],
                image_rotation=0,
                value=dict(
                    format='rle',
                    rle=encode_brush_rle(labels == label),
                    brushlabels=[self.annotated[label]],
                ),
            )
            for label in np.unique(labels[labels >= 0]).tolist()
        ]
        task = dict(
            data={_IMAGE: self.image_url + quote(os.fsencode(name))},
            predictions=[dict(model_version='mmseg_langseg', result=masks)],
        )
        return json.dumps(task, separators=(',', ':')).encode()

    def assemble(self, names: Sequence[str]) -> list[Path]:
        """Write the tasks image by image, and the labeling interface."""
        tasks, interface = self.folder / 'label_studio.json', self.folder / 'label_studio.xml'
        with open_whole_file(tasks, replace=self.overwrite) as file:
            file.write(b'[')
            for number, name in enumerate(names):
                file.write((b',\n' if number else b'\n') + self.path(name).read_bytes())
            file.write(b'\n]\n')
        with open_whole_file(interface, replace=self.overwrite) as file:
            file.write(self._interface().encode())
        return [tasks, interface]

    def _interface(self) -> str:
        labels = [
            f'    <Label value={quoteattr(name)} background="#{bytes(color).hex()}"/>\n'
            for name, color in zip(self.annotated, class_colors(self.annotated), strict=True)
        ]
        return (
            f'<View>\n  <Image name="{_IMAGE}" value="${_IMAGE}" zoom="true"/>\n'
            f'  <BrushLabels name="{_BRUSH}" toName="{_IMAGE}">\n{"".join(labels)}'
            '  </BrushLabels>\n</View>\n'
        )
