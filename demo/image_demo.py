"""Segment one image by class names and draw the result.

``python demo/image_demo.py IMAGE CONFIG [WEIGHTS] --texts "cat; dog, puppy; grass"``
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mmseg_langseg.apis import (
    LangSegInferencer,
    check_picture_path,
    draw_overlay,
    read_image,
    save_picture,
)
from mmseg_langseg.apis.command_line import (
    add_config_options,
    add_trust_option,
    command_parser,
    device_name,
    number_in,
    run_command,
)
from mmseg_langseg.fileio import check_not_input
from mmseg_langseg.models.text_encoders import Vocabulary


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser('Segment one image by class names.')
    parser.add_argument('image', help='image file')
    parser.add_argument(
        'config', help='config file, or the name of a config, e.g. pixelclip/vit-b16_coco'
    )
    parser.add_argument(
        'weights', nargs='?', default='none', help='checkpoint; omitted or "none": zero-shot CLIP'
    )
    parser.add_argument(
        '--texts',
        required=True,
        help='classes, e.g. "cat; dog, puppy; grass" (commas: synonyms), or a .json vocabulary',
    )
    parser.add_argument(
        '--out',
        help='output image, may replace an earlier one (default: IMAGE with _overlay.png)',
    )
    parser.add_argument(
        '--device', type=device_name, help='torch device (default: a GPU if there is one)'
    )
    parser.add_argument(
        '--opacity',
        type=number_in(0, 1),
        default=0.55,
        help='opacity of the colors, 0 to 1',
    )
    add_config_options(parser, 'model.clip.pretrained=ViT-B-16.pt')
    add_trust_option(parser)
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> Path:
    args = parse_args(argv)
    image = Path(args.image)
    weights = None if args.weights == 'none' else args.weights
    # Bad input fails here, before a model is loaded.
    pixels = read_image(image)
    vocabulary = Vocabulary.parse(args.texts)
    # An empty name, e.g. of an unset variable, is not the default.
    out = image.with_name(f'{image.stem}_overlay.png') if args.out is None else Path(args.out)
    check_not_input(out, [image, args.config, *([weights] if weights else [])])
    check_picture_path(out)
    segment = LangSegInferencer(
        args.config, weights, args.device, args.cfg_options, args.trust_checkpoint
    )
    save_picture(draw_overlay(segment(pixels, vocabulary), args.opacity), out)
    print(f'wrote {out}')
    return out


if __name__ == '__main__':
    run_command(main)
