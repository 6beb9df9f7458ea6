# Sourced by the other scripts. Bash runs commands that stand within a number, such as a[$(command)],
# so numbers are checked before any arithmetic.
# check_number NAME VALUE LOWEST
check_number() {
    if ! [[ $2 =~ ^(0|[1-9][0-9]{0,5})$ ]] || (($2 < $3)); then
        echo "$0: $1 is '$2', expected an integer from $3 on" >&2
        exit 2
    fi
}
