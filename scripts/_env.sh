# shellcheck shell=sh
# Sourced by the scripts beside it: finds the environment they run in, or makes it.
#
# Sets $root (the checkout) and $venv (a folder with Python and all that requirements.lock names). RELAY_VENV names another
# folder than .venv, PYTHON another Python. Everything it says goes to standard error.

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
venv=${RELAY_VENV:-$root/.venv}
case $venv in /*) ;; *) venv=$PWD/$venv ;; esac
stamp=$venv/made-from

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# The real path of a Python that runs and is new enough, or nothing: a shim may stand on PATH and fail.
usable() { "$1" -c 'import sys; sys.version_info >= (3, 11) and print(sys.executable)' 2>/dev/null || :; }

version() {
    found=$("$1" -c 'import sys; print("Python %d.%d.%d" % sys.version_info[:3])' 2>/dev/null || :)
    echo "${found:-no Python that runs}"
}

build_of() { "$1" -c 'import sys; print(sys.version)' 2>/dev/null || :; }

has_uv() { uv --version >/dev/null 2>&1; }

# What the environment is made from; a moved checkout is another one, because scripts in it name its path.
recipe() {
    printf '%s\n' "$root"
    cat "$root/pyproject.toml" "$root/requirements.lock" | cksum
}

is_made() {
    [ "$(recipe)" = "$(cat "$stamp" 2>/dev/null)" ] && [ -x "$venv/bin/relay" ] && [ -n "$(usable "$venv/bin/python")" ] &&
        { [ -z "${PYTHON:-}" ] || [ "$(build_of "$PYTHON")" = "$(build_of "$venv/bin/python")" ]; }
}

find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3; do
        python=$(usable "$candidate")
        [ -z "$python" ] || return 0
        [ -z "${PYTHON:-}" ] || fail "Python 3.11 or newer is needed; PYTHON=$PYTHON is $(version "$PYTHON")."
    done
    # uv finds the Pythons that it manages itself, and fetches one where there is none.
    python='>=3.11'
    has_uv || fail "Python 3.11 or newer is needed; python3 here is $(version python3)." \
        "Install one, or name it: PYTHON=/path/to/python3 $0"
}

install() {
    if has_uv; then
        uv venv --quiet --allow-existing --python "$python" "$venv" &&
            uv pip sync --python "$venv/bin/python" --require-hashes "$root/requirements.lock" &&
            uv pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e "$root"
    else
        "$python" -m venv "$venv" || fail "$python cannot make environments; on Debian and Ubuntu: apt install python3-venv"
        "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$root/requirements.lock" &&
            "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e "$root"
    fi
}

make() {
    if [ -n "$(ls -A "$venv" 2>/dev/null)" ] && [ ! -f "$stamp" ]; then
        fail "$venv was not made by this script: move it away, or name another folder: RELAY_VENV=/path/to/folder $0"
    fi
    find_python
    say "Making an environment in $venv (once, about a minute) …"
    rm -rf -- "$venv"
    mkdir -p -- "$venv"
    echo "unfinished" >"$stamp"
    install >&2 || fail "The environment could not be made; the lines above say why."
    recipe >"$stamp"
}

is_made || make

# Bytecode stays in the environment, whatever the shell says of it: without any, each process compiles 2,000 files anew.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$venv/bytecode"
