"""Convert an official PixelCLIP checkpoint to MMSegmentation, with the trained tensors only.

    python tools/model_converters/pixelclip2mmseg.py pixelclip_vit_base.pth pixelclip_vit-b16.pth

The result is loaded by ``tools/test.py CONFIG pixelclip_vit-b16.pth``; the rest of CLIP comes from
its public weights.
"""

import io
from collections.abc import Mapping, Sequence

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.fileio import check_new, check_not_input, read_checkpoint, write_whole_file

import torch
from torch import Tensor

CLIP = 'sem_seg_head.predictor.clip_model.'
PROMPTS = 'sem_seg_head.predictor.prompt_tokens'
HEAD = 'head.'
TEACHER = 'teacher_encoder.'


def convert(state: Mapping[str, Tensor], with_teacher: bool = False) -> dict[str, Tensor]:
    """Rename and select the tensors of an official checkpoint.

    Args:
        state: State dict under ``'model'`` in the checkpoint.
        with_teacher: Keep the momentum teacher, which only further training needs.

    Returns:
        ``backbone.visual.*``, ``decode_head.prompts.tokens`` (K, L, d_e),
        ``decode_head.mask_decoder.*`` and, if requested, ``teacher.*``. In a ViT, only attention
        and position tensors were trained; in a ConvNeXt, all.

    Raises:
        ValueError: If this is not an official PixelCLIP checkpoint, or a module is missing.
    """
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    visual = _visual(state, CLIP)
    head = {k.removeprefix(HEAD): v for k, v in state.items() if k.startswith(HEAD)}
    if not visual or not head or PROMPTS not in state:
        raise ValueError(
            f"This is not an official PixelCLIP checkpoint: expected keys '{CLIP}visual.*', "
            f"'{PROMPTS}' and '{HEAD}*', found {list(state)[:3]} ..."
        )
    result = {f'backbone.{key}': value for key, value in visual.items()}
    result['decode_head.prompts.tokens'] = state[PROMPTS]
    result |= {f'decode_head.mask_decoder.{key}': value for key, value in head.items()}
    if with_teacher:
        teacher = _visual(state, TEACHER)
        if not teacher:
            raise ValueError(f"the checkpoint has no teacher ('{TEACHER}visual.*')")
        result |= {f'teacher.module.{key}': value for key, value in teacher.items()}
        # At step 0 the teacher would restart as a copy of the student.
        result['teacher.steps'] = torch.tensor(1)
    return {key: value.detach().clone() for key, value in result.items()}


def _visual(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors of an image tower that official training changed."""
    prefix_visual = prefix + 'visual.'
    visual = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix_visual)}
    if 'visual.class_embedding' in visual:
        return {k: v for k, v in visual.items() if 'attn' in k or 'position' in k}
    return visual


def read_official(path: str) -> Mapping[str, Tensor]:
    """Read the state dict under ``'model'`` in a checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds no model.
    """
    content = read_checkpoint(path)
    model = content.get('model') if isinstance(content, Mapping) else None
    if not isinstance(model, Mapping):
        raise ValueError(f"'{path}' is not an official PixelCLIP checkpoint: it holds no 'model'")
    return model


def write_checkpoint(state: dict[str, Tensor], path: str) -> None:
    """Write a new MMSegmentation checkpoint atomically."""
    buffer = io.BytesIO()
    torch.save({'meta': {'source': 'official PixelCLIP'}, 'state_dict': state}, buffer)
    write_whole_file(path, buffer.getvalue(), replace=False)


def main(argv: Sequence[str] | None = None) -> None:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('source', metavar='IN', help='official checkpoint (.pth)')
    parser.add_argument('target', metavar='OUT', help='file to write; must not exist')
    parser.add_argument(
        '--with-teacher', action='store_true', help='keep the momentum teacher for further training'
    )
    args = parser.parse_args(argv)
    check_not_input(args.target, [args.source])
    check_new(args.target)
    model = read_official(args.source)
    state = convert(model, args.with_teacher)
    write_checkpoint(state, args.target)
    before, after = (sum(v.numel() for v in d.values()) / 1e6 for d in (model, state))
    print(f'{args.target}: {len(state)} tensors, {after:.1f} M of {before:.1f} M values')


if __name__ == '__main__':
    run_command(main)
