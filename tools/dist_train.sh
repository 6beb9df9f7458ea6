#!/usr/bin/env bash
# Train on several GPUs, or on several CPU processes: tools/dist_train.sh CONFIG PROCESSES [train.py options]
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG PROCESSES [options of tools/train.py]" >&2
    exit 2
fi
config=$1
processes=$2
tools=$(cd "$(dirname "$0")" && pwd)
source "$tools/check_number.sh"
check_number PROCESSES "$processes" 1
check_number NNODES "${NNODES:-1}" 1
check_number NODE_RANK "${NODE_RANK:-0}" 0

# Idle OpenMP threads that spin slow CPU processes down 5 to 20 times.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
export PYTHONPATH="$(dirname "$tools")${PYTHONPATH:+:$PYTHONPATH}"
exec python -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" \
    --master_port="${PORT:-29500}" \
    --nproc_per_node="$processes" \
    "$tools/train.py" "$config" --launcher pytorch "${@:3}"
