#!/usr/bin/env bash
# One command for the whole study; `./run_all.sh --help` says what it can do.
# Kept to what bash 3.2 (macOS) knows; everything that is not about finding Python is in study/run/.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
case $root in *:*)
  echo "error: $root: Python finds no modules in a folder with a colon; move the repository" >&2
  exit 1
  ;;
esac
export PYTHONPATH="$root"
unset MPLBACKEND # a backend set for scripts would hide the notebooks' figures

base=""
for name in python3.11 python3.12 python3.13 python3.14 python3 python; do
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    base=$name
    break
  fi
done
if [ -z "$base" ]; then
  echo "error: no Python 3.11 or newer found; install one and run this again" >&2
  exit 1
fi

# Help needs no packages, so it must not wait for them to be installed.
for word in ${1+"$@"}; do
  case $word in -h | --help) exec "$base" -P -m study.run.command --help ;; esac
done

python=$("$base" -P -m study.run.environment)
exec "$python" -P -m study.run.command ${1+"$@"}
