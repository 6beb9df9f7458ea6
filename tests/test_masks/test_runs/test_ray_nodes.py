"""A machine of the cluster is lost; ``pip install ray``, which the tests do not require."""

import os
import signal
import time
from functools import partial

import pytest

from mmseg_langseg.fileio import open_image_source
from mmseg_langseg.masks.generators import SuperpixelGenerator
from mmseg_langseg.masks.runs import generate_masks_on_ray
from tests.test_masks.tiles import four_tiles, run, tree

SECONDS = 120


@pytest.fixture
def head(ray):
    """Start two nodes with one CPU each; yield the identifier of the first."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(True, head_node_args=dict(num_cpus=1, include_dashboard=False))
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        cluster.wait_for_nodes()
        yield ray.get_runtime_context().get_node_id()
    finally:
        ray.shutdown()
        cluster.shutdown()


def tiles_that_end_their_node(head, marker):
    """Build a generator that kills its node at the first image, while that of the head waits."""

    def tiles(image):
        import ray

        # The generator tries an image of 8 x 8 first.
        if image.shape[:2] != (8, 8):
            if ray.get_runtime_context().get_node_id() != head:
                marker.touch()
                for process in (os.getppid(), os.getpid()):
                    os.kill(process, signal.SIGKILL)
            while not marker.exists():
                time.sleep(0.05)
        return four_tiles(image)

    return SuperpixelGenerator(tiles)


def test_a_lost_machine_leaves_its_images_to_the_others(head, images, tmp_path):
    run(images, tmp_path / 'one')
    marker, out = tmp_path / 'killed', tmp_path / 'ray'

    def too_long(signal_number, frame):
        raise TimeoutError(f'the run did not end within {SECONDS} s')

    before = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        report = generate_masks_on_ray(
            open_image_source(images),
            out,
            partial(tiles_that_end_their_node, head, marker),
            'tiles',
            workers=2,
            progress=False,
        )
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert marker.exists() and report.made == 6
    assert tree(out) == tree(tmp_path / 'one')
