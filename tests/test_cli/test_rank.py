"""The commands ``langseg rank`` and ``langseg queue`` on files."""

import csv
import json
import warnings
import zipfile

import pytest
from PIL import Image

from mmseg_langseg.cli import commands, rank
from mmseg_langseg.masks.formats import encode_masks, write_mask_file
from mmseg_langseg.synthetic.renderer import render_scene


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        scene, sub = render_scene('tune', number), 'a' if number % 2 else 'b'
        path = tmp_path / 'photos' / sub / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.image).save(path)
        masks = tmp_path / 'masks' / sub / f'{number}.json'
        write_mask_file(masks, encode_masks(scene.masks), (64, 64), path.name)
    return tmp_path


def run(folder, command, out, *args):
    words = [command, str(folder / 'photos'), '--texts', 'ring; star; grass', '--quiet']
    words += ['--masks', str(folder / 'masks'), '--out', str(folder / out), '--device', 'cpu']
    parsed = commands.parse_args([*words, *args])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        commands.COMMANDS[command].run(parsed)


def test_rank_says_which_is_best_and_what_it_cannot_tell(folder, capsys):
    models = ['--models', 'embedded', '--thresholds', '0', '0.6']
    run(folder, 'rank', 'ranked', *models)
    shown = capsys.readouterr().out.splitlines()
    content = json.loads((folder / 'ranked/rank.json').read_text())
    assert shown[0].startswith('6 photos with ')
    assert shown[0].endswith('judged by embedded, without training')
    assert [one['name'] for one in content['ranking']] == [
        line.split('  ')[0] for line in shown[2:5]
    ]
    best = max(content['ranking'], key=lambda one: one['estimated_miou'])
    assert shown[5] == f'Highest estimate: {best["name"]}'
    undecided = [one['name'] for one in content['ranking'] if one['against_best'] == 'undecided']
    assert undecided and shown[6].endswith(f'apart from: {"; ".join(undecided)}')
    (folder / 'ranked/rank.json').write_text('mine')
    with pytest.raises(FileExistsError, match='nothing was written'):
        run(folder, 'rank', 'ranked', *models)


def test_the_checkpoint_follows_the_model():
    assert rank.model_and_weights('embedded') == ('embedded', None)
    assert rank.model_and_weights('a.py=b=1.pth') == ('a.py', 'b=1.pth')
    with pytest.raises(Exception, match='expected MODEL or MODEL=CHECKPOINT'):
        rank.model_and_weights('a=')


def test_queue_exports_the_first_photos_in_order(folder, capsys):
    run(folder, 'queue', 'queue', '--model', 'embedded', '--number', '2')
    assert capsys.readouterr().out.startswith('2 of 6 photos exported;')
    with (folder / 'queue/queue.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    scores = [float(row['disagreement']) for row in rows]
    assert scores == sorted(scores, reverse=True)
    with zipfile.ZipFile(folder / 'queue/cvat.zip') as archive:
        listed = archive.read('ImageSets/Segmentation/default.txt').decode().split()
    assert [f'{name}.png' for name in listed] == [row['photo'] for row in rows[:2]]
