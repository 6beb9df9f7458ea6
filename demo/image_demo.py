"""Segment one image by words and paint the result.

``python demo/image_demo.py IMAGE CONFIG [WEIGHTS] --texts "cat; dog, puppy; grass"``
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmseg_langseg.apis import LangSegInferencer, draw_overlay, read_image
from mmseg_langseg.models.text_encoders import Vocabulary


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Segment one image by words.')
    parser.add_argument('image', help='image file')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'weights', nargs='?', default='none', help='checkpoint; omitted or "none": zero-shot CLIP'
    )
    parser.add_argument(
        '--texts', required=True, help='classes, e.g. "cat; dog, puppy; grass" (commas: synonyms)'
    )
    parser.add_argument('--out', help='picture to write (default: IMAGE with _overlay.png)')
    parser.add_argument('--device', help='torch device (default: a GPU if there is one)')
    parser.add_argument('--opacity', type=float, default=0.55, help='of the colours, 0 to 1')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> Path:
    args = parse_args(argv)
    image = Path(args.image)
    out = Path(args.out) if args.out else image.with_name(f'{image.stem}_overlay.png')
    weights = None if args.weights == 'none' else args.weights
    # Bad input ends here, before a model is loaded.
    pixels = read_image(image)
    vocabulary = Vocabulary.from_string(args.texts)
    result = LangSegInferencer(args.config, weights, args.device)(pixels, vocabulary)
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_overlay(result, args.opacity).save(out)
    print(f'wrote {out}')
    return out


if __name__ == '__main__':
    main()
