#!/bin/sh
# Runs the black-box harness against the installed command: harness.sh FOLDER-OF-BB.PY [its options].
set -eu
cd "$(dirname "$0")/../.."
harness=$1
shift
work=tests/e2e/.work
rm -rf "$work"
mkdir -p "$work/data"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=mx.bounces.example.test \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
exec python3 "$harness/bb.py" tests/e2e/harness.json "$@"
