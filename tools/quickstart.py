"""Train and test a method within minutes on the bundled synthetic dataset and CLIP.

    python tools/quickstart.py
    python tools/quickstart.py --config configs/clips4/resnet_synthetic.py

Nothing is downloaded. The runs are those of tools/train.py and tools/test.py on the config, by
default configs/pixelclip/resnet_synthetic.py. The results are a table and a picture.
"""

import argparse
import io
import itertools
import platform
import time
import warnings
from pathlib import Path

from mmseg_langseg.apis import LangSegInferencer
from mmseg_langseg.apis.command_line import command_parser, positive_int, run_command
from mmseg_langseg.apis.compare import ComparisonRow, compare_trained, compare_untrained
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.apis.config_file import read_config
from mmseg_langseg.apis.resources import resource_folder
from mmseg_langseg.fileio import write_whole_file
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import CLASSES, render_scene

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

CONFIG = resource_folder('configs') / 'pixelclip' / 'resnet_synthetic.py'
READOUTS = {
    'CLIPTimmTower': {'CLIP': None},
    'CLIPVisionTransformer': {
        'CLIP, plain tokens': 'tokens',
        'CLIP, value path (MaskCLIP)': 'value',
        'CLIP, value path + class token': 'value_cls',
    },
}


TITLES = {'CLIPS4': 'CLIP-S4', 'MaskCLIPPlus': 'MaskCLIP+'}


def parse_args(argv=None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--config', default=str(CONFIG), help='config on the synthetic dataset')
    parser.add_argument('--work-dir', default='work_dirs/quickstart')
    parser.add_argument(
        '--iterations', type=positive_int, help="training length; default: the config's"
    )
    parser.add_argument(
        '--test-scenes', type=positive_int, help="scenes tested; default: the config's"
    )
    return parser.parse_args(argv)


def quiet_options(args: argparse.Namespace) -> dict:
    """Return config options for progress bars instead of log lines and for shorter runs."""
    options = {'log_level': 'ERROR'}
    if args.iterations:
        options['train_cfg.max_iters'] = args.iterations
    if args.test_scenes:
        options['test_dataloader.dataset.num_scenes'] = args.test_scenes
    return options


def new_folder(root: Path) -> Path:
    """Create a folder named by the time, with a suffix if a run of the same second has one."""
    root.mkdir(parents=True, exist_ok=True)
    name = time.strftime('%Y%m%d_%H%M%S')
    for suffix in itertools.chain([''], map('_{}'.format, itertools.count(2))):
        try:
            (root / f'{name}{suffix}').mkdir()
        except FileExistsError:
            continue
        return root / f'{name}{suffix}'


def run(args: argparse.Namespace, folder: Path) -> list[ComparisonRow]:
    cfg = read_config(args.config)
    common = quiet_options(args)
    rows = []

    def options(title: str) -> dict:
        bar = dict(type='ProgressBarHook', title=f'{title:<32}')
        return {**common, 'custom_hooks': [*cfg.custom_hooks, bar]}

    for name, readout in READOUTS[cfg.model.backbone.type].items():
        own = options(name)
        if readout is not None:
            own['model.backbone.readout'] = readout
        rows.append(compare_untrained(name, args.config, str(folder / f'clip_{readout}'), own))
    title = TITLES.get(cfg.model.type, cfg.model.type)
    rows.append(compare_trained(title, args.config, str(folder / 'trained'), options(title)))
    return rows


def print_table(rows: list[ComparisonRow]) -> None:
    print(f'\n{"":<32}{"mIoU":>8}{"centered":>10}{"training":>12}')
    for row in rows:
        seconds = f'{row.seconds:.0f} s' if row.seconds else '-'
        print(f'{row.name:<32}{row.raw:>8.1f}{row.centered:>10.1f}{seconds:>12}')
    if rows[0].groups:
        print_groups(rows)
    print(
        '\nmIoU in % over 17 classes on unseen scenes. Centered: the mean logit of each class over '
        'unlabeled\ntraining scenes is subtracted first, a calibration applicable to any CLIP.\n'
        f'{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}'
    )


def print_groups(rows: list[ComparisonRow]) -> None:
    print(f'\n{"known / unknown / harmonic mean":<32}{"mIoU":>24}{"centered":>24}')
    for row in rows:
        cells = [
            ' / '.join(f'{value:.1f}' for value in row.groups[kind].values())
            for kind in ('raw', 'centered')
        ]
        print(f'{row.name:<32}{cells[0]:>24}{cells[1]:>24}')


def draw_picture(config: str, row: ComparisonRow, path: Path, scenes: int = 8) -> None:
    """Draw rows of image, ground truth, CLIP and the trained model."""
    words = Vocabulary.from_names(CLASSES)
    palette = class_palette(config)
    with warnings.catch_warnings():
        # The scenes are rendered: what the bundled CLIP does on photos does not matter.
        warnings.filterwarnings('ignore', 'The small CLIP')
        models = [LangSegInferencer(config), LangSegInferencer(config, row.checkpoint)]
    columns = []
    for index in range(scenes):
        scene = render_scene('test', index)
        labels = [model(scene.image, words).labels for model in models]
        columns.append([scene.image, *(palette[k] for k in (scene.labels, *labels))])
    tiles = np.concatenate([np.concatenate(column, axis=0) for column in columns], axis=1)
    picture = Image.fromarray(tiles.astype(np.uint8))
    picture = picture.resize((picture.width * 2, picture.height * 2), Image.NEAREST)
    canvas = Image.new('RGB', (picture.width + 190, picture.height), 'white')
    canvas.paste(picture, (90, 0))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=15)
    for place, text in enumerate(['image', 'truth', 'CLIP', row.name]):
        draw.text((6, place * 128 + 56), text, fill='black', font=font)
    for number, name in enumerate(CLASSES):
        top, left = 8 + number * 29, picture.width + 98
        draw.rectangle((left, top, left + 16, top + 16), fill=tuple(palette[number].tolist()))
        draw.text((left + 22, top - 1), name, fill='black', font=font)
    content = io.BytesIO()
    canvas.save(content, 'png')
    write_whole_file(path, content.getvalue())


def class_palette(config: str) -> np.ndarray:
    from mmseg.registry import DATASETS

    kind = read_config(config).test_dataloader.dataset.type
    return np.array(DATASETS.get(kind).METAINFO['palette'], dtype=np.uint8)


def main(argv=None) -> list[ComparisonRow]:
    args = parse_args(argv)
    warnings.filterwarnings('ignore')
    start = time.time()
    check_output_folder(args.work_dir, '--work-dir')
    folder = new_folder(Path(args.work_dir))
    rows = run(args, folder)
    print_table(rows)
    path = folder / 'quickstart.png'
    draw_picture(args.config, rows[-1], path)
    print(f'\nPicture: {path}\nTotal time: {time.time() - start:.0f} s.')
    return rows


if __name__ == '__main__':
    run_command(main)
