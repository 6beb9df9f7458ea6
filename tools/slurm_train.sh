#!/usr/bin/env bash
# Train under Slurm. Environment: see run_slurm in launch.sh.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
if [ $# -lt 3 ]; then usage "PARTITION JOB_NAME CONFIG [options of tools/train.py]"; fi
run_slurm "$1" "$2" train.py "${@:3}"
