#!/usr/bin/env bash
# Train on several GPUs, or in several CPU processes. Environment: see run_distributed in launch.sh.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
if [ $# -lt 2 ]; then usage "CONFIG PROCESSES [options of tools/train.py]"; fi
run_distributed "$2" train.py "$1" "${@:3}"
