#!/usr/bin/env bash
# Batch job of slurm_train.sh: TOOLS TOOL ARGUMENTS. After status 75 (see TerminationHook) it is requeued.
set -uo pipefail
tools=$1
shift
# Jobs of an array may share a machine.
export MASTER_PORT="${MASTER_PORT:-$((20000 + SLURM_JOB_ID % 20000))}"
arguments=("${@:2}")
arguments=("${arguments[@]//%a/${SLURM_ARRAY_TASK_ID:-%a}}")
if ((${SLURM_RESTART_COUNT:-0} > 0)); then
    arguments+=(--resume)
fi
# srun does not take this from the job.
cpus=${SLURM_CPUS_PER_TASK:-1}
srun --cpus-per-task="$cpus" --kill-on-bad-exit=1 python -u "$tools/$1" "${arguments[@]}" --launcher slurm
status=$?
if ((status == 75)); then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$status"
