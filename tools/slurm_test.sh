#!/usr/bin/env bash
# Test under Slurm. Environment: see run_slurm in launch.sh.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
if [ $# -lt 4 ]; then usage "PARTITION JOB_NAME CONFIG CHECKPOINT [options of tools/test.py]"; fi
run_slurm "$1" "$2" test.py "${@:3}"
