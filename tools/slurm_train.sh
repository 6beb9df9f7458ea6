#!/usr/bin/env bash
# Train under Slurm. Environment: see run_slurm in launch.sh.
# Options before PARTITION are sbatch's: the training is then submitted as a batch job.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
options=()
while [[ ${1:-} == --* ]]; do
    options+=("$1")
    shift
done
if [ $# -lt 3 ]; then usage "[--OPTION=VALUE of sbatch ...] PARTITION JOB_NAME CONFIG [options of tools/train.py]"; fi
if ((${#options[@]})); then
    submit_slurm "$1" "$2" "${options[@]}" "$tools/slurm_job.sh" "$tools" train.py "${@:3}"
else
    run_slurm "$1" "$2" train.py "${@:3}"
fi
