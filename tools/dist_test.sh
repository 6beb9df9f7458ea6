#!/usr/bin/env bash
# Test on several GPUs, or in several CPU processes. Environment: see run_distributed in launch.sh.
# CHECKPOINT "none" tests the untrained model.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
if [ $# -lt 3 ]; then usage "CONFIG CHECKPOINT PROCESSES [options of tools/test.py]"; fi
run_distributed "$3" test.py "$1" "$2" "${@:4}"
