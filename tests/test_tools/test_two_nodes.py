"""Several processes compute what one does.

The nodes of the training are network namespaces where the machine allows that, else two launchers
on one address.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.scripts import ROOT, logs, metrics, run, run_script

CONFIG = ROOT / 'configs' / 'pixelclip' / 'resnet_synthetic.py'
OPTIONS = [
    '--cfg-options',
    'model.clip.pretrained=None',
    'model.decode_head.decoder_channels=4,4',
    'train_cfg.max_iters=2',
    'train_cfg.val_interval=100',
    'default_hooks.checkpoint.interval=2',
    'default_hooks.logger.interval=1',
    'val_dataloader.dataset.num_scenes=2',
    'test_dataloader.batch_size=2',
    'test_dataloader.dataset.num_scenes=9',
]
LAUNCH = '"$TOOL" "$CONFIG" 1 --work-dir "$WORK" "$@"'
ON_ONE_ADDRESS = f"""
export MASTER_ADDR=127.0.0.1
NODE_RANK=1 {LAUNCH} & NODE_RANK=0 {LAUNCH}; status=$?
wait $! && exit $status
"""
# The second node waits for its end of the cable.
ON_TWO_ADDRESSES = f"""
export MASTER_ADDR=10.0.0.1
cat > second.sh <<'END'
until ip link set second up 2>/dev/null; do sleep 0.05; done
ip link set lo up; ip addr add 10.0.0.2/24 dev second
NODE_RANK=1 GLOO_SOCKET_IFNAME=second {LAUNCH}
END
ip link add first type veth peer name second
unshare --net bash second.sh "$@" &
while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link set second netns $!
ip link set lo up; ip link set first up; ip addr add 10.0.0.1/24 dev first
NODE_RANK=0 GLOO_SOCKET_IFNAME=first {LAUNCH}; status=$?
wait $! && exit $status
"""
APART = ['unshare', '--map-root-user', '--net']


def can_separate_networks():
    check = [*APART, 'ip', 'link', 'add', 'first', 'type', 'veth', 'peer', 'name', 'second']
    try:
        return subprocess.run(check, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def train_on_two_nodes(folder, work, *options):
    """Train with a process on each of two nodes; return what the launchers printed."""
    apart = can_separate_networks()
    script = folder / 'first.sh'
    script.write_text(ON_TWO_ADDRESSES if apart else ON_ONE_ADDRESS)
    env = dict(
        os.environ,
        PATH=f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}',
        NNODES='2',
        PORT=free_port(),
        TOOL=str(ROOT / 'tools' / 'dist_train.sh'),
        CONFIG=str(CONFIG),
        WORK=str(work),
    )
    command = [*(APART if apart else []), 'bash', str(script), *options]
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=400)


def losses(work):
    (path,) = Path(work).rglob('scalars.json')
    lines = map(json.loads, path.read_text().splitlines())
    return [line['loss'] for line in lines if 'loss' in line]


@pytest.mark.multiprocess
def test_two_nodes_train_and_two_processes_test_like_one(tmp_path):
    together, alone = tmp_path / 'together', tmp_path / 'alone'
    done = train_on_two_nodes(tmp_path, together, *OPTIONS, 'train_dataloader.batch_size=2')
    assert done.returncode == 0, done.stderr[-3000:]
    log = logs(together)
    assert 'Distributed training: True' in log and 'GPU number: 2' in log
    run('train', CONFIG, '--work-dir', alone, *OPTIONS, 'train_dataloader.batch_size=4')
    expected = losses(alone)
    assert len(expected) == 2 and losses(together) == pytest.approx(expected, rel=1e-5)

    weights = together / 'iter_2.pth'
    two, one = tmp_path / 'two', tmp_path / 'one'
    done = run_script('dist_test.sh', CONFIG, weights, 2, '--work-dir', two, *OPTIONS, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    run('test', CONFIG, weights, '--work-dir', one, *OPTIONS)
    assert metrics(two) == metrics(one)
