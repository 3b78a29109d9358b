#!/bin/sh
# Tests a server against its OpenAPI document with valid and invalid requests. Runs three times, each
# with a new server and database: without accounts, with and without commands, and as a user with a
# token on a server that also has staff.
#
# Usage: schemathesis.sh [PROGRAM]; builds the program by default. Needs `schemathesis`
# (`pip install schemathesis`) on PATH or in SCHEMATHESIS. EXAMPLES sets the number of generated requests
# per kind, SEED the seed of the generator.
set -eu

cd "$(dirname "$0")/../.."
schemathesis=${SCHEMATHESIS:-schemathesis}
examples=${EXAMPLES:-12}
seed=${SEED:-7}
if [ $# -gt 0 ]; then
    program=$1
else
    cargo build --quiet -p workflow-cli
    program=${CARGO_TARGET_DIR:-target}/debug/workflow
fi
program=$(realpath "$program")

folder=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || { kill -INT "$server" && wait "$server"; } || true
    server=
}
trap 'finish; rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM

# Waits for the server and prints its address.
address() {
    while kill -0 "$server" 2>/dev/null; do
        found=$(sed -n 's,.*\(http://127\.0\.0\.1:[0-9]*\).*,\1,p' "$folder/output" | head -n 1)
        [ -z "$found" ] || { echo "$found"; return; }
        sleep 0.1
    done
    cat "$folder/output" >&2
    return 1
}

db=sqlite://$folder/test.db

# Serves the database with these options and tests it, with `$token` if it is set.
check() {
    (cd "$folder" && exec "$program" serve --address 127.0.0.1:0 --db "$db" "$@") \
        >"$folder/output" 2>&1 &
    server=$!
    base=$(address)
    set --
    # Exclude revoking the own token, and the checks of valid and invalid data: the server validates
    # more than the document can express (times, cursors, optional bodies). This run tests permissions.
    [ -z "$token" ] || set -- --header "Authorization: Bearer $token" \
        --exclude-path "/api/v1/tokens/{token}" \
        --exclude-checks positive_data_acceptance,negative_data_rejection
    (cd "$folder" && "$schemathesis" --no-color run "$base/api/openapi.json" "$@" \
        --checks all --max-examples "$examples" --seed "$seed" --generation-database none \
        --phases examples,coverage,fuzzing,stateful --suppress-health-check all \
        --request-timeout 10 --warnings off --continue-on-failure)
    finish
    rm -f "$folder"/test.db*
}

# Adds an account; further arguments go to `workflow user add`.
account() {
    echo "correct horse battery" | "$program" user add "$@" --db "$db" 2>/dev/null
}

token=
check
check --allow-commands
account ada
account root --staff
token=$("$program" token create ada --scope write --db "$db" 2>/dev/null)
check
