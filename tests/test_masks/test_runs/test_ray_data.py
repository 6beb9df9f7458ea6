"""Ray Data calls ``MaskWorker``; ``pip install "ray[data]"``, which the tests do not require."""

import os
import signal

import pytest

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import build_generator
from mmseg_langseg.masks.runs import MaskWorker, read_images
from tests.test_snippets import blocks


@pytest.fixture(autouse=True)
def cluster(ray):
    pytest.importorskip('pyarrow')
    ray.init(address='local', num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_the_rows_are_those_of_one_process_although_an_actor_is_killed(images, tmp_path):
    (images / 'b/4.jpg').write_bytes(b'broken')
    ((page, block),) = blocks('ray')
    assert '/shared/photos' in block
    names = {}
    exec(compile(block.replace('/shared/photos', str(images)), page, 'exec'), names)
    marker = tmp_path / 'killed'

    class KilledOnce(names['Masks']):
        def __call__(self, table):
            try:
                marker.touch(exist_ok=False)
            except FileExistsError:
                return super().__call__(table)
            os.kill(os.getpid(), signal.SIGKILL)

    source = open_image_source(images)
    given = read_images(source, source.names)
    # Ray Data reads all files of the folder, and names them by their whole paths.
    given = [dict(row, name=str(images / row['name'])) for row in given]
    expected = MaskWorker(build_generator('felzenszwalb'))(given)
    again = names['images'].map_batches(
        KilledOnce, batch_size=2, batch_format='pyarrow', compute=names['actors']
    )
    for masks in (names['masks'], again):
        found = {row['name']: row for row in masks.take_all()}
        assert found.pop(str(images / 'notes.txt'))['reason'] == 'cannot be decoded'
        assert found == {row['name']: row for row in expected}
    assert marker.exists()
