#!/usr/bin/env bash
# Evaluate models on benchmarks on several GPUs, or in several CPU processes. Environment: see
# run_distributed in launch.sh.
set -euo pipefail
source "$(dirname "$0")/launch.sh"
if [ $# -lt 2 ]; then usage "PROCESSES [options of tools/eval_all.py]"; fi
run_distributed "$1" eval_all.py "${@:2}"
