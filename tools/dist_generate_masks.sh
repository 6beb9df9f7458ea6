#!/usr/bin/env bash
# Generate masks in several processes, one per GPU: tools/dist_generate_masks.sh PROCESSES INPUT OUT [options of tools/generate_masks.py]
# GPUs: those of CUDA_VISIBLE_DEVICES, else all, round-robin; without a GPU the processes share the CPU.
# On several machines, NNODES and NODE_RANK select the shards of each.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
if [ $# -lt 3 ]; then usage "PROCESSES INPUT OUT [options of tools/generate_masks.py]"; fi
processes=$1
check_number PROCESSES "$processes" 1
check_number NNODES "${NNODES:-1}" 1
check_number NODE_RANK "${NODE_RANK:-0}" 0
if ((${NODE_RANK:-0} >= ${NNODES:-1})); then
    echo "$0: NODE_RANK is ${NODE_RANK:-0}, expected less than NNODES, ${NNODES:-1}" >&2
    exit 2
fi
shards=$((processes * ${NNODES:-1}))
first=$((processes * ${NODE_RANK:-0}))

# Each process uses one thread; idle OpenMP threads would slow the others down.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
if [ -n "${CUDA_VISIBLE_DEVICES:-}" ]; then
    IFS=, read -ra gpus <<<"$CUDA_VISIBLE_DEVICES"
else
    mapfile -t gpus < <(nvidia-smi --query-gpu=index --format=csv,noheader 2>/dev/null || true)
fi

pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true' INT TERM
for ((i = 0; i < processes; i++)); do
    # One progress bar is enough: the shards take equally long.
    quiet=()
    if ((i > 0)); then quiet=(--quiet); fi
    if ((${#gpus[@]} > 0)); then
        export CUDA_VISIBLE_DEVICES="${gpus[i % ${#gpus[@]}]}"
    fi
    python "$tools/generate_masks.py" "${@:2}" --shard "$((first + i))/$shards" "${quiet[@]}" &
    pids+=($!)
done
status=0
for pid in "${pids[@]}"; do
    wait "$pid" || status=1
done
exit $status
