#!/usr/bin/env bash
# Test on several GPUs, or on several CPU processes: tools/dist_test.sh CONFIG CHECKPOINT PROCESSES [test.py options]
# CHECKPOINT "none" tests the untrained model. Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT PROCESSES [options of tools/test.py]" >&2
    exit 2
fi
config=$1
checkpoint=$2
processes=$3
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
    "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
