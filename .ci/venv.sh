#!/bin/sh
# The environment in which everything runs.
#   venv.sh check FOLDER          remove one that does not work: too old a Python, no pip, moved, or half made
#   venv.sh make FOLDER [PYTHON]  make it, by PYTHON or the newest that is there, unless it is there
set -eu

bound=$(sed -n 's/^requires-python = ">=\([0-9.]*\)"$/\1/p' "$(dirname "$0")/../pyproject.toml")
new_enough="import sys; sys.exit(sys.version_info[:2] < tuple(map(int, '$bound'.split('.'))))"

fail() {
    echo "error: $1" >&2
    exit 1
}

works() {
    # a folder that was moved still points to where it was; one without pip.main was left half made
    "$1/bin/python" -c "$new_enough" && "$1/bin/python" -c "import pip._internal.main" &&
        "$1/bin/python" -c 'import os, sys; sys.exit(os.path.realpath(sys.prefix) != os.path.realpath(sys.argv[1]))' "$1" &&
        head -n 2 "$1/bin/pip" | grep -qF "$1/bin/python" # in the second line where the first cannot hold the path
} >/dev/null 2>&1

# the physical path, which pip writes into itself, whatever link leads here
folder=$(cd "$(dirname "$2")" && pwd -P)/$(basename "$2")
case $1 in
check)
    if [ -e "$folder" ] && ! works "$folder"; then
        echo "$2 does not work (it needs Python $bound or newer, with pip, where it was made): made anew" >&2
        rm -rf "$folder"
    fi
    ;;
make)
    if [ -e "$folder" ]; then exit 0; fi
    python=${3:-}
    if [ -n "$python" ]; then
        "$python" -c "$new_enough" 2>/dev/null || fail "PYTHON=$python is missing or older than Python $bound"
    else
        for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
            if "$name" -c "$new_enough" >/dev/null 2>&1; then
                python=$name
                break
            fi
        done
        [ -n "$python" ] || fail "Python $bound or newer is needed: install it, or say where it is: make PYTHON=/path/to/python3"
    fi
    if ! "$python" -m venv "$folder" >/dev/null 2>&1 || ! works "$folder"; then
        rm -rf "$folder"
        fail "$python cannot make an environment: its module venv or ensurepip is missing (Debian: apt install python3-venv)"
    fi
    ;;
esac
