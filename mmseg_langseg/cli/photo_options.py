"""Options of the commands that compare models on photos without labels."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmseg_langseg.apis.masked_photos import MaskedPhotos, find_masked_photos
from mmseg_langseg.fileio import check_not_input


def add_photo_options(parser: argparse.ArgumentParser) -> None:
    """Add the photos, ``--texts``, ``--masks``, ``--out`` and ``--quiet``.

    Args:
        parser: Parser of the command.
    """
    parser.add_argument(
        'folder', help='photos: folder (searched recursively), tar, or .txt list of paths'
    )
    parser.add_argument(
        '--texts',
        required=True,
        help='classes, e.g. "cat; dog, puppy; grass" (commas: synonyms), or a .json vocabulary',
    )
    parser.add_argument('--out', required=True, help='output folder')
    parser.add_argument(
        '--masks', help="folder of mask files in SA-1B's format (default: generated in OUT/masks)"
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bars')


def find_photos(args: argparse.Namespace) -> MaskedPhotos:
    """Return the photos that the options name, and print which images cannot be used."""
    out = Path(args.out)
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"The output '{out}' is a file; give a folder.")
    check_not_input(out, [args.folder])
    found = find_masked_photos(
        args.folder, args.masks, out / 'masks', exclude=out, progress=not args.quiet
    )
    for name, reason in found.unusable:
        print(f'skipped {name}: {reason}')
    return found
