"""Measure the models of the study of label-free verdicts: true mIoU, and evidence without labels.

    python tools/synthetic/measure_verdict_grid.py --work-dir work_dirs/verdict

Each checkpoint of tools/synthetic/train_verdict_grid.py is measured once; an interrupted run goes
on. Test labels are used for the true mIoU only. Needs about 5 s of CPU time per checkpoint.
"""

import argparse
import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from mmseg_langseg.apis.command_line import command_parser, run_command
from mmseg_langseg.apis.config_checks import check_output_folder
from mmseg_langseg.apis.stored_weights import build_model
from mmseg_langseg.evaluation import class_iou, count_pixels
from mmseg_langseg.fileio import write_whole_file
from mmseg_langseg.masks import masks_to_regions
from mmseg_langseg.masks.formats.rle import encode_masks
from mmseg_langseg.models.text_encoders import Vocabulary
from mmseg_langseg.synthetic.renderer import CLASSES, SyntheticScene, render_scene
from mmseg_langseg.verdict import region_counts

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from verdict_grid import grid_runs

HELD_OUT, TESTED, CENTERED_ON = 150, 400, 200
VOCABULARIES = {'plain': CLASSES, 'useless': (*CLASSES, 'wheel', 'home')}
KINDS = ('raw', 'centered')
CROPS = ('box', 'wide', 'fill', 'blur')
_BATCH = 50


class Scenes:
    """Held-out scenes, whose labels are not read, test scenes, and scenes to center logits on."""

    def __init__(self) -> None:
        self.held_out = [render_scene('tune', index) for index in range(HELD_OUT)]
        tested = [render_scene('test', index) for index in range(TESTED)]
        self.images = _images(self.held_out)
        self.regions = [
            masks_to_regions(encode_masks(scene.masks), *scene.labels.shape)
            for scene in self.held_out
        ]
        self.test_images = _images(tested)
        self.labels = torch.from_numpy(np.stack([scene.labels for scene in tested])).long()
        self.train_images = _images([render_scene('train', index) for index in range(CENTERED_ON)])


def _images(scenes: Sequence[SyntheticScene]) -> Tensor:
    return torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2)


def crop(scene: SyntheticScene, mask: np.ndarray, kind: str) -> np.ndarray:
    """Return the square crop of a mask, in one of the ways that were tried."""
    context = 0.5 if kind == 'wide' else 0.15
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    length = max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1
    length = round(length * (1 + 2 * context)) + 4
    box = []
    for inside, limit in ((rows, mask.shape[0]), (columns, mask.shape[1])):
        own = min(length, limit)
        start = int(np.clip((inside[0] + inside[-1] + 1 - own) // 2, 0, limit - own))
        box.append(slice(start, start + own))
    image = scene.image.astype(np.float32)
    inside = mask.astype(np.float32)[..., None]
    if kind == 'fill':
        image = image * inside + (1 - inside) * image.reshape(-1, 3).mean(0)
    if kind == 'blur':
        soft = cv2.GaussianBlur(inside, (0, 0), 1)[..., None]
        image = image * soft + cv2.GaussianBlur(image, (0, 0), 6) * (1 - soft)
    size = scene.labels.shape
    return cv2.resize(image[tuple(box)], size, interpolation=cv2.INTER_CUBIC).clip(0, 255)


class Measurer:
    """Measure models on the same scenes."""

    def __init__(self, scenes: Scenes) -> None:
        self.scenes = scenes

    def features(self, model: nn.Module, images: Tensor) -> Tensor:
        """Return dense features ``(B, D, h, w)`` of RGB images."""
        return torch.cat([model.extract_feat(part)[-1] for part in _normalized(model, images)])

    def logits(self, model: nn.Module, features: Tensor) -> Tensor:
        """Return cosines ``(B, K, H, W)`` at image size."""
        parts = (model.decode_head((part,)) for part in features.split(_BATCH))
        size = self.scenes.labels.shape[1:]
        return torch.cat([F.interpolate(p, size, mode='bilinear') for p in parts])

    @torch.no_grad()
    def judge(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Return what the untrained model says about each mask, in all ways that were tried."""
        held_out = self.scenes.held_out
        embeddings = {}
        for kind in CROPS:
            crops = [crop(scene, mask, kind) for scene in held_out for mask in scene.masks]
            crops = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
            visual = model.backbone.visual
            embeddings[kind] = torch.cat([visual(part) for part in _normalized(model, crops)])
        size = self.scenes.labels.shape[1:]
        features = F.interpolate(self.features(model, self.scenes.images), size, mode='bilinear')
        embeddings['pool'] = torch.cat(
            [
                torch.einsum('dhw,nhw->nd', own, torch.from_numpy(scene.masks).float())
                for own, scene in zip(features, held_out, strict=True)
            ]
        )
        found = {}
        for name, words in VOCABULARIES.items():
            model.set_vocabulary(Vocabulary.from_names(words))
            for kind, rows in embeddings.items():
                found[f'{name}_{kind}'] = model.decode_head.embedding_scores(rows).numpy()
        photo = [[index] * len(scene.masks) for index, scene in enumerate(held_out)]
        return dict(found, photo=np.concatenate(photo), scale=model.logit_scale)

    @torch.no_grad()
    def evidence(self, model: nn.Module) -> dict[str, np.ndarray]:
        """Return the true mIoU and the evidence of a model."""
        scenes, found = self.scenes, {}
        sets = (scenes.images, scenes.images.flip(3), scenes.test_images, scenes.train_images)
        features = [self.features(model, images) for images in sets]
        for name, words in VOCABULARIES.items():
            model.set_vocabulary(Vocabulary.from_names(words))
            own, flipped, tested, trained = (self.logits(model, part) for part in features)
            mean = trained.mean((0, 2, 3))[:, None, None]
            for kind, offset in zip(KINDS, (0, mean), strict=True):
                prediction = (own - offset).argmax(1)
                again = (flipped - offset).argmax(1).flip(2)
                odds = (model.logit_scale * (own - offset)).softmax(1)
                two = odds.topk(2, dim=1).values
                entropy = -(odds * odds.clamp_min(1e-9).log()).sum(1)
                part = dict(
                    truth=self._miou((tested - offset).argmax(1), len(words)),
                    region=self._counts(prediction.numpy(), len(words)),
                    flip=(prediction == again).float().mean((1, 2)),
                    margin=(two[:, 0] - two[:, 1]).mean((1, 2)),
                    entropy=entropy.mean((1, 2)),
                )
                found |= {f'{name}_{kind}_{key}': np.asarray(v) for key, v in part.items()}
        return found

    def _counts(self, labels: np.ndarray, num_classes: int) -> np.ndarray:
        pairs = zip(labels, self.scenes.regions, self.scenes.held_out, strict=True)
        return np.concatenate([region_counts(a, b, len(s.masks), num_classes) for a, b, s in pairs])

    def _miou(self, predictions: Tensor, num_classes: int) -> float:
        """Return the mIoU in percent over the classes of the scenes; extra names are wrong."""
        confusion = count_pixels(self.scenes.labels, predictions, num_classes, num_classes)
        return float(class_iou(confusion)[: len(CLASSES)].mean() * 100)


def _normalized(model: nn.Module, images: Tensor) -> Sequence[Tensor]:
    preprocessor = model.data_preprocessor
    return ((images.float() - preprocessor.mean) / preprocessor.std).split(_BATCH)


def _save(path: Path, arrays: dict[str, np.ndarray]) -> None:
    file = io.BytesIO()
    np.savez(file, **arrays)
    write_whole_file(path, file.getvalue())


def parse_args(argv=None) -> argparse.Namespace:
    parser = command_parser(__doc__.splitlines()[0])
    parser.add_argument('--work-dir', default='work_dirs/verdict')
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    check_output_folder(args.work_dir, '--work-dir')
    init_default_scope('mmseg')
    measurer = Measurer(Scenes())
    for run in grid_runs():
        folder = run.folder(Path(args.work_dir) / 'evidence')
        zero = folder.with_name('untrained.npz')
        todo = {path: folder / f'{path.stem}.npz' for path in run.checkpoints(args.work_dir)}
        todo = {path: out for path, out in todo.items() if not out.is_file()}
        if todo and not zero.is_file() and run.method == 'pixelclip':
            model = build_model(run.load(args.work_dir), None).eval()
            _save(zero, {**measurer.judge(model), **measurer.evidence(model)})
        for path, out in todo.items():
            with contextlib.redirect_stdout(io.StringIO()):  # missing frozen weights
                model = build_model(run.load(args.work_dir), str(path)).eval()
            _save(out, measurer.evidence(model))
            print(f'{run.half} {run.name}, CLIP seed {run.clip_seed}: {path.stem}', flush=True)


if __name__ == '__main__':
    run_command(main)
