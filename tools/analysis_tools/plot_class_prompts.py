"""Draw the class prompts of a PixelCLIP among words, and list the nearest words of each.

    python tools/analysis_tools/plot_class_prompts.py CONFIG CHECKPOINT --out prompts.png
    python tools/analysis_tools/plot_class_prompts.py CONFIG CHECKPOINT --out prompts.png \
        --vocabulary coco_stuff171.json --counts clusters.json
    python tools/analysis_tools/plot_class_prompts.py --prompts centers.npz \
        --vocabulary words.npz --out prompts.png

Writes prompts.png, prompts.json (positions, cosines) and prompts.md (table of the nearest words).
Without CHECKPOINT, the prompts are the initial ones. NPZ files hold text embeddings of the same
CLIP: 'names' (N strings) and 'embeddings' (N, D). Existing files are replaced only with
--overwrite, input files never.
"""

import argparse
from pathlib import Path

from mmseg_langseg.analysis import (
    PromptMap,
    ReportFiles,
    WordEmbeddings,
    draw_prompt_map,
    embed_prompts,
    embed_words,
    find_words,
    is_embedding_file,
    load_prompt_config,
    load_prompt_model,
)
from mmseg_langseg.apis.command_line import (
    add_config_options,
    add_trust_option,
    command_parser,
    positive_int,
    run_command,
    seed_int,
)
from mmseg_langseg.fileio import parse_json, show_value

import numpy as np


def embed(args: argparse.Namespace) -> tuple[np.ndarray, WordEmbeddings]:
    """Compute or read the embeddings of the prompts and of the words."""
    if args.config is None:
        if args.prompts is None or not is_embedding_file(args.vocabulary):
            raise ValueError(
                'without CONFIG, give the embeddings of prompts and words: --prompts FILE.npz '
                '--vocabulary FILE.npz'
            )
        prompts = WordEmbeddings.from_npz(args.prompts).rows
        return prompts, WordEmbeddings.from_npz(args.vocabulary)
    cfg = load_prompt_config(args.config, args.checkpoint, args.cfg_options)
    words = find_words(cfg, args.vocabulary)
    prompts = None if args.prompts is None else WordEmbeddings.from_npz(args.prompts).rows
    head = load_prompt_model(cfg, args.checkpoint, args.trust_checkpoint).decode_head
    return embed_prompts(head) if prompts is None else prompts, embed_words(head, words)


def read_counts(path: Path, num_prompts: int) -> np.ndarray:
    """Read the masks of each cluster from the JSON file of plot_clusters.py.

    Raises:
        ValueError: The file has other content, or another number of clusters.
    """
    content = parse_json(path.read_bytes(), path)
    clusters = content.get('clusters') if isinstance(content, dict) else None
    counts = {}
    for entry in clusters if isinstance(clusters, list) else ():
        pair = (entry.get('cluster'), entry.get('masks')) if isinstance(entry, dict) else (None,)
        if not all(type(value) is int and 0 <= value < 2**53 for value in pair):
            raise ValueError(f'{path}: {show_value(entry)} is not a cluster with its masks')
        counts.update([pair])
    if sorted(counts) != list(range(num_prompts)):
        raise ValueError(
            f'{path}: {len(counts)} clusters for {num_prompts} prompts; expected the JSON file '
            'that plot_clusters.py wrote for this model'
        )
    return np.array([counts[index] for index in range(num_prompts)])


def main(argv: list[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('config', metavar='CONFIG', nargs='?', help='training config')
    parser.add_argument(
        'checkpoint', metavar='CHECKPOINT', nargs='?', help='default: the initial prompts'
    )
    parser.add_argument(
        '--out', metavar='FILE', type=Path, required=True, help='picture, .png or .jpg'
    )
    parser.add_argument(
        '--vocabulary',
        metavar='WORDS',
        help='"cat; dog, puppy; grass", a JSON file, or an NPZ file of text embeddings; default: '
        "the config's, or the class names of its test data",
    )
    parser.add_argument(
        '--prompts', metavar='FILE', help="NPZ file of embeddings instead of the model's prompts"
    )
    parser.add_argument(
        '--counts', metavar='FILE', type=Path, help='JSON file of plot_clusters.py: masks by prompt'
    )
    parser.add_argument(
        '--nearest', type=positive_int, default=5, help='nearest words to list for each prompt'
    )
    parser.add_argument('--seed', type=seed_int, default=0, help='seed of t-SNE')
    parser.add_argument('--overwrite', action='store_true', help='replace files of the same name')
    add_config_options(parser, 'model.clip.pretrained=ViT-B-16.pt')
    add_trust_option(parser)
    args = parser.parse_args(argv)
    inputs = (args.config, args.checkpoint, args.vocabulary, args.prompts, args.counts)
    files = ReportFiles(args.out, [path for path in inputs if path], args.overwrite)
    prompts, words = embed(args)
    counts = None if args.counts is None else read_counts(args.counts, len(prompts))
    prompt_map = PromptMap.create(prompts, words, counts, args.nearest, args.seed)
    picture, shown = draw_prompt_map(prompt_map)
    files.write(picture, prompt_map.record(), prompt_map.table())
    print(
        f'{args.out}: {len(prompts)} prompts and {len(words.words)} words, {shown} of them labeled;'
        f' the nearest words are in {files.table}'
    )


if __name__ == '__main__':
    run_command(main)
