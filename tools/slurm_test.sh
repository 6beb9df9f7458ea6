#!/usr/bin/env bash
# Test under Slurm: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [test.py options]
# Environment: GPUS (all nodes together), GPUS_PER_NODE, CPUS_PER_TASK, SRUN_ARGS.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]" >&2
    exit 2
fi
tools=$(cd "$(dirname "$0")" && pwd)
source "$tools/check_number.sh"
gpus=${GPUS:-4}
check_number GPUS "$gpus" 1
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
check_number GPUS_PER_NODE "$per_node" 1
check_number CPUS_PER_TASK "${CPUS_PER_TASK:-5}" 1

export PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
# SRUN_ARGS is a list of words.
# shellcheck disable=SC2086
exec srun --partition="$1" \
    --job-name="$2" \
    --gres="gpu:$per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${SRUN_ARGS:-} \
    python -u "$tools/test.py" "$3" "$4" --launcher slurm "${@:5}"
