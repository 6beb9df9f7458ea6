"""Draw masks of the training data by the cluster that PixelCLIP assigns them to.

    python tools/analysis_tools/plot_clusters.py CONFIG CHECKPOINT --out clusters.jpg
    python tools/analysis_tools/plot_clusters.py CONFIG CHECKPOINT --out clusters.jpg \
        --labels data/photos/train/labels --classes data/photos/classes.txt \
        --cfg-options train_dataloader.dataset.data_root=data/photos/train

Writes clusters.jpg (random masks of each cluster), clusters.json and clusters.md (size, nearest
words, purity). Masks are assigned as in training: the features of the momentum teacher on the weak
view, and the clusterer of the config over batches of the config's size. Without CHECKPOINT, the
model is the untrained one. Existing files are replaced only with --overwrite, input files never.
"""

from pathlib import Path

from mmseg_langseg.analysis import (
    ContactSheet,
    MaskLabels,
    ReportFiles,
    check_sheet_size,
    embed_prompts,
    embed_words,
    find_words,
    load_prompt_config,
    load_prompt_model,
    mask_tower,
    nearest_words,
    sample_clusters,
)
from mmseg_langseg.apis.command_line import (
    add_config_options,
    add_trust_option,
    command_parser,
    device_name,
    integer_in,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.apis.config_checks import check_folders
from mmseg_langseg.apis.data_check import check_not_among_data
from mmseg_langseg.synthetic import SyntheticScenesDataset

from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.device import get_device
from mmseg.registry import DATASETS

# What MaskLabels needs to know of a sample.
LABEL_KEYS = ('gt_seg_map', 'img_path', 'ori_shape', 'split', 'scene_index')


def build_dataset(cfg: Config) -> BaseDataset:
    """Build the training data, which also keep what labels of masks are found by.

    Raises:
        ValueError: The config has no training data with masks.
    """
    settings = (cfg.get('train_dataloader') or {}).get('dataset') or {}
    steps = settings.get('pipeline') or [{}]
    if steps[-1].get('type') != 'PackMaskInputs':
        raise ValueError(
            f"{cfg.filename}: its training pipeline does not end in 'PackMaskInputs'; expected a "
            'training config of PixelCLIP'
        )
    check_folders(cfg, 'train_dataloader')
    steps[-1]['meta_keys'] = LABEL_KEYS
    return DATASETS.build(settings)


def find_labels(
    dataset: BaseDataset, folder: Path | None, classes: Path | None, out: Path
) -> MaskLabels | None:
    """Return the labels of masks, None if they are unknown.

    Raises:
        FileNotFoundError: The folder or the class file does not exist.
        ValueError: Only one of ``folder`` and ``classes`` is given, or ``out`` is in the folder.
    """
    if (folder is None) != (classes is None):
        raise ValueError('--labels and --classes belong together: give both, or neither')
    if folder is not None:
        if folder.resolve() in out.resolve().parents:
            raise ValueError(
                f"--out '{out}' is in '{folder}', which is read: nothing was written; give another "
                'folder'
            )
        return MaskLabels(folder, dataset.data_prefix['img_path'], classes)
    return MaskLabels(None) if isinstance(dataset, SyntheticScenesDataset) else None


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', help='training config')
    parser.add_argument(
        'checkpoint', metavar='CHECKPOINT', nargs='?', help='default: the untrained model'
    )
    parser.add_argument(
        '--out', metavar='FILE', type=Path, required=True, help='contact sheet, .png or .jpg'
    )
    parser.add_argument(
        '--max-images', type=positive_int, default=200, help='number of random images'
    )
    parser.add_argument('--masks', type=positive_int, default=8, help='masks to draw per cluster')
    parser.add_argument(
        '--side', type=integer_in(16, 512), default=96, help='side of a drawn mask in pixels'
    )
    parser.add_argument(
        '--vocabulary',
        metavar='WORDS',
        help='words to describe clusters with: "cat; dog, puppy; grass", a JSON file, or an NPZ '
        "file of text embeddings; default: the config's, or the class names of its test data",
    )
    parser.add_argument(
        '--labels', metavar='FOLDER', type=Path, help='label maps of the images, for the purity'
    )
    parser.add_argument(
        '--classes', metavar='FILE', type=Path, help='names of the labels, one per line'
    )
    parser.add_argument(
        '--seed', type=seed_int, default=0, help='seed of images, augmentations and masks'
    )
    parser.add_argument(
        '--device', type=device_name, default=get_device(), help='default: a GPU if there is one'
    )
    parser.add_argument('--overwrite', action='store_true', help='replace files of the same name')
    add_config_options(parser, 'train_dataloader.dataset.data_root=DIR')
    add_trust_option(parser)
    args = parser.parse_args(argv)
    inputs = (args.config, args.checkpoint, args.vocabulary, args.classes)
    files = ReportFiles(args.out, [path for path in inputs if path], args.overwrite)
    cfg = load_prompt_config(args.config, args.checkpoint, args.cfg_options)
    dataset = build_dataset(cfg)
    check_not_among_data(str(args.out.parent), dataset, '--out')
    labels = find_labels(dataset, args.labels, args.classes, args.out)
    words = find_words(cfg, args.vocabulary)
    model = load_prompt_model(cfg, args.checkpoint, args.trust_checkpoint)
    head = model.decode_head
    check_sheet_size(head.prompts.num_clusters, args.masks, args.side)
    nearest = nearest_words(embed_prompts(head), embed_words(head, words), count=3)
    batch_size = cfg.train_dataloader.batch_size
    sample = sample_clusters(
        model.to(args.device),
        dataset,
        batch_size,
        args.max_images,
        args.masks,
        args.side,
        args.seed,
        labels,
    )
    source = (
        f'{sample.masks.sum()} masks of {sample.images} images, features of the '
        f'{mask_tower(model)[1]}.',
        f'Assigned by {type(head.clusterer).__name__} in batches of {batch_size} images.',
    )
    sheet = ContactSheet(
        sample, nearest, args.side, source, [] if labels is None else labels.classes
    )
    files.write(sheet.draw(), sheet.record(), sheet.table())
    print(f'{args.out}: {" ".join(source)} The table is in {files.table}')


if __name__ == '__main__':
    run_command(main)
