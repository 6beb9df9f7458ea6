"""Makes class-agnostic masks in SA-1B's JSON format from COCO's annotations.

    python tools/convert_coco_masks.py panoptic_train2017.json data/coco/masks/train2017
    python tools/convert_coco_masks.py instances_train2017.json data/coco/masks/train2017

One file an image, of the image's stem; categories are dropped, crowds are kept as one mask. A file
that exists is left alone, so a run that was broken off goes on where it stopped.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from mmseg_langseg.masks import encode_masks, write_mask_file

import mmengine
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask


@dataclass
class CocoImage:
    """One image of an annotation file and what is annotated in it."""

    info: dict
    annotations: list[dict]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.info['height'], self.info['width']


def read_annotations(path: Path) -> tuple[list[CocoImage], bool]:
    """Reads an annotation file of COCO.

    Returns:
        Its images, and whether the annotations are panoptic.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no annotation file of COCO, or of another kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'")
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f"'{path}' is not valid JSON, perhaps truncated ({error})") from error
    lists = [content.get(key) for key in ('images', 'annotations')] if content else []
    if not lists or not all(isinstance(entry, list) and entry for entry in lists):
        raise ValueError(f"'{path}' lacks images or annotations: expected COCO's own JSON")
    images, annotations = lists
    panoptic = 'segments_info' in annotations[0]
    if not panoptic and 'segmentation' not in annotations[0]:
        raise ValueError(
            f"'{path}' holds annotations with the keys {sorted(annotations[0])}: expected "
            "panoptic ones ('segments_info') or instances ('segmentation')"
        )
    of_image = defaultdict(list)
    for annotation in annotations:
        of_image[annotation['image_id']].append(annotation)
    strangers = of_image.keys() - {info['id'] for info in images}
    if strangers:
        raise ValueError(
            f"'{path}' annotates {len(strangers)} images that it does not list, "
            f'the first has the id {min(strangers)}'
        )
    return [CocoImage(info, of_image[info['id']]) for info in images], panoptic


def panoptic_rles(image: CocoImage, png_dir: Path) -> list[dict]:
    """Masks of an image from its panoptic PNG, where a pixel's id is ``R + 256 G + 256^2 B``.

    Returns:
        One COCO RLE a segment, in the order of the ids; the id 0 is no segment.

    Raises:
        FileNotFoundError: If the PNG is missing.
        ValueError: If it has another size or other segments than the annotation says.
    """
    if not image.annotations:
        return []
    (annotation,) = image.annotations
    path = png_dir / annotation['file_name']
    if not path.is_file():
        raise FileNotFoundError(f"no file '{path}'; --png-dir names the folder of the PNGs")
    colours = np.asarray(Image.open(path).convert('RGB'), dtype=np.int64)
    if colours.shape[:2] != image.size:
        raise ValueError(
            f"'{path}' has height x width {list(colours.shape[:2])}, its image {list(image.size)}"
        )
    pixels = np.asfortranarray(colours @ np.array([1, 256, 256**2]))
    ids = np.unique(pixels)
    ids = ids[ids > 0]
    unknown = set(ids.tolist()) - {segment['id'] for segment in annotation['segments_info']}
    if unknown:
        raise ValueError(
            f"'{path}' holds the segment {min(unknown)}, which the annotation file does not list: "
            'do they belong together?'
        )
    return encode_masks(pixels == number for number in ids)


def instance_rles(image: CocoImage) -> list[dict]:
    """Masks of an image from polygons, or from compressed or uncompressed RLEs.

    Returns:
        One COCO RLE an annotation; the polygons of one annotation are united.

    Raises:
        ValueError: If a segmentation is none of these, or of another size.
    """
    return [_instance_rle(annotation, image.size) for annotation in image.annotations]


def _instance_rle(annotation: dict, size: tuple[int, int]) -> dict:
    where = f'annotation {annotation.get("id")}'
    segmentation = annotation.get('segmentation')
    if isinstance(segmentation, list):
        # pycocotools would take four numbers for a box.
        if not segmentation or any(len(p) < 6 or len(p) % 2 for p in segmentation):
            raise ValueError(f'{where}: a polygon needs at least three points')
        return coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
    if not isinstance(segmentation, dict) or not {'size', 'counts'} <= segmentation.keys():
        raise ValueError(f'{where}: expected polygons or an RLE, got {segmentation!r:.60}')
    if isinstance(segmentation['counts'], list):
        return coco_mask.frPyObjects(segmentation, *segmentation['size'])
    return segmentation


def convert(
    annotations: Path, out: Path, png_dir: Path | None = None, overwrite: bool = False
) -> tuple[int, int, int]:
    """Writes the mask files of all images of an annotation file.

    Args:
        annotations: Panoptic or instances JSON.
        out: Folder of the mask files, made if needed.
        png_dir: Folder of the panoptic PNGs; by default the JSON's path without its suffix.
        overwrite: Write files anew that exist.

    Returns:
        Numbers of files written, of files left alone, and of masks written.

    Raises:
        FileNotFoundError: If the JSON, the PNG folder or a PNG is missing.
        ValueError: If the annotations are broken; the message names the image.
    """
    images, panoptic = read_annotations(annotations)
    png_dir = png_dir or annotations.with_suffix('')
    if panoptic and not png_dir.is_dir():
        raise FileNotFoundError(
            f"no folder '{png_dir}' with the panoptic PNGs; --png-dir names another"
        )
    names = [Path(image.info['file_name']).with_suffix('.json') for image in images]
    targets = [(image, out / name) for image, name in zip(images, names, strict=True)]
    todo = [pair for pair in targets if overwrite or not pair[1].exists()]
    masks = 0
    for image, target in mmengine.track_iter_progress(todo):
        name = image.info['file_name']
        try:
            rles = panoptic_rles(image, png_dir) if panoptic else instance_rles(image)
            write_mask_file(target, rles, image.size, name, image.info['id'])
        except ValueError as error:
            raise ValueError(f'{annotations}, image {name}: {error}') from error
        masks += len(rles)
    return len(todo), len(targets) - len(todo), masks


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        'annotations', metavar='ANNOTATIONS', type=Path, help='panoptic or instances JSON of COCO'
    )
    parser.add_argument('out', metavar='OUT', type=Path, help='folder of the mask files')
    parser.add_argument(
        '--png-dir', type=Path, help="the panoptic PNGs; default: the JSON's path without .json"
    )
    parser.add_argument('--overwrite', action='store_true', help='write existing files anew')
    args = parser.parse_args(argv)
    try:
        written, left, masks = convert(args.annotations, args.out, args.png_dir, args.overwrite)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'convert_coco_masks: {error}') from error
    print(f'\n{args.out}: {written} files with {masks} masks written, {left} existed')


if __name__ == '__main__':
    main()
