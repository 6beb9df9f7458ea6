# Sourced by the dist_*.sh and slurm_*.sh scripts; $tools is set to this folder.
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$tools")
# In a checkout, the package need not be installed.
if [ -d "$root/mmseg_langseg" ]; then
    export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
fi

# Print the usage and exit: usage TEXT
usage() {
    echo "usage: $0 $1" >&2
    exit 2
}

# Bash arithmetic executes commands within a value, such as a[$(command)], so numbers are checked
# first: check_number NAME VALUE LOWEST
check_number() {
    if ! [[ $2 =~ ^(0|[1-9][0-9]{0,5})$ ]] || (($2 < $3)); then
        echo "$0: $1 is '$2', expected an integer of at least $3" >&2
        exit 2
    fi
}

# Start a tool in processes of one or several machines: run_distributed PROCESSES TOOL ARGUMENTS
# Environment: NNODES, NODE_RANK, MASTER_ADDR, PORT.
run_distributed() {
    check_number PROCESSES "$1" 1
    check_number NNODES "${NNODES:-1}" 1
    check_number NODE_RANK "${NODE_RANK:-0}" 0
    # Spinning idle OpenMP threads slow CPU processes down 5 to 20 times.
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
    # The default of torchrun, which it would announce.
    if (($1 > 1)); then
        export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
    fi
    exec python "$tools/launch_processes.py" \
        --nnodes="${NNODES:-1}" \
        --node_rank="${NODE_RANK:-0}" \
        --master_addr="${MASTER_ADDR:-127.0.0.1}" \
        --master_port="${PORT:-29500}" \
        --nproc_per_node="$1" \
        "$tools/$2" "${@:3}" --launcher pytorch
}

# Set $resources to the options of srun and sbatch: slurm_resources PARTITION JOB_NAME
# Environment: GPUS (all nodes together), GPUS_PER_NODE, CPUS_PER_TASK.
slurm_resources() {
    local gpus=${GPUS:-4}
    check_number GPUS "$gpus" 1
    local per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
    check_number GPUS_PER_NODE "$per_node" 1
    check_number CPUS_PER_TASK "${CPUS_PER_TASK:-5}" 1
    resources=(
        --partition="$1"
        --job-name="$2"
        --gres="gpu:$per_node"
        --ntasks="$gpus"
        --ntasks-per-node="$per_node"
        --cpus-per-task="${CPUS_PER_TASK:-5}"
    )
}

# Start a tool under Slurm: run_slurm PARTITION JOB_NAME TOOL ARGUMENTS
# Environment: see slurm_resources; SRUN_ARGS (separated by spaces).
run_slurm() {
    slurm_resources "$1" "$2"
    # shellcheck disable=SC2086
    exec srun "${resources[@]}" \
        --kill-on-bad-exit=1 \
        ${SRUN_ARGS:-} \
        python -u "$tools/$3" "${@:4}" --launcher slurm
}

# Submit a batch job: submit_slurm PARTITION JOB_NAME [OPTIONS] SCRIPT ARGUMENTS
# Environment: see slurm_resources. A requeued job appends to its output.
submit_slurm() {
    slurm_resources "$1" "$2"
    exec sbatch "${resources[@]}" --open-mode=append "${@:3}"
}
