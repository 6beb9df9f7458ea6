"""Ray is not among the packages for tests: ``pip install ray`` runs these."""

import os
import signal
from functools import partial

import pytest

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import SuperpixelGenerator
from mmseg_langseg.masks.runs import generate_masks_on_ray
from tests.test_masks.tiles import four_tiles, load_as_trainer, run, tree


@pytest.fixture(scope='module', autouse=True)
def cluster(ray):
    ray.init(address='local', num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def tiles_and_one_death(marker):
    """Build a generator that ends its process at the first image that any process segments."""

    def tiles(image):
        # The generator tries an image of 8 x 8 first.
        if image.shape[:2] != (8, 8):
            try:
                marker.touch(exist_ok=False)
            except FileExistsError:
                return four_tiles(image)
            os.kill(os.getpid(), signal.SIGKILL)
        return four_tiles(image)

    return SuperpixelGenerator(tiles)


def tiles_of_most(broken):
    def tiles(image):
        if image.shape[:2] == broken:
            os.kill(os.getpid(), signal.SIGKILL)
        return four_tiles(image)

    return SuperpixelGenerator(tiles)


def run_on_ray(images, out, build, file_format='sa1b'):
    source = open_image_source(images, exclude=out)
    return generate_masks_on_ray(
        source, out, build, 'tiles', file_format, workers=2, progress=False
    )


@pytest.mark.parametrize('file_format', ['sa1b', 'regions'])
def test_files_are_those_of_one_process_although_a_worker_is_killed(images, tmp_path, file_format):
    (images / 'b/bad.jpg').write_bytes(b'')
    (images / 'b/gone.jpg').symlink_to('nowhere')
    run(images, tmp_path / 'one', file_format)
    marker, out = tmp_path / 'killed', tmp_path / 'ray'
    report = run_on_ray(images, out, partial(tiles_and_one_death, marker), file_format)
    assert marker.exists() and (report.made, report.kept) == (6, 0)
    assert tree(out) == tree(tmp_path / 'one')
    (cut, *_) = (path for path in out.rglob('5.*'))
    cut.write_bytes(cut.read_bytes()[:-9])
    report = run_on_ray(images, out, partial(tiles_and_one_death, marker), file_format)
    assert (report.made, report.kept) == (1, 5)
    assert tree(out) == tree(tmp_path / 'one')


def test_images_that_kill_every_worker_end_the_run_and_are_named(images, tmp_path):
    size = load_as_trainer(images / '5.png').shape[:2]
    with pytest.raises(RuntimeError, match=r'died 3 times, .* processing .*5\.png.* Ray: .*died'):
        run_on_ray(images, tmp_path / 'out', partial(tiles_of_most, size))


def test_errors_of_a_worker_are_its_own(images, tmp_path):
    def build():
        raise ValueError('unknown options {x}')

    with pytest.raises(ValueError, match=r'^unknown options \{x\}$'):
        run_on_ray(images, tmp_path / 'out', build)
    assert not (tmp_path / 'out').exists()


class Lost:
    """Arguments that a worker cannot load, as if a package were missing on its machine."""

    def __reduce__(self):
        return __import__, ('package_of_another_machine',)


def test_a_package_that_a_worker_lacks_is_named(images, tmp_path):
    with pytest.raises(RuntimeError, match="No module named 'package_of_another_machine'"):
        run_on_ray(images, tmp_path / 'out', Lost())
