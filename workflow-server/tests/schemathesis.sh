#!/bin/sh
# Holds a server to its OpenAPI document: starts it on a database of its own, sends it what the
# document allows and what it does not, and stops it. Three times: open to everybody, with and without
# commands, and closed, as a user who has a token and whose workflows and keys stand beside staff's.
#
# Takes the program, or builds it. Needs `schemathesis` (`pip install schemathesis`), on PATH or
# named by SCHEMATHESIS; EXAMPLES and SEED say how many requests of each kind are made up, and which.
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

# Where the server says that it is, once it is there.
address() {
    while kill -0 "$server" 2>/dev/null; do
        found=$(sed -n 's,.*\(http://127\.0\.0\.1:[0-9]*\).*,\1,p' "$folder/said" | head -n 1)
        [ -z "$found" ] || { echo "$found"; return; }
        sleep 0.1
    done
    cat "$folder/said" >&2
    return 1
}

db=sqlite://$folder/test.db

# Serves the database with these options, and asks as whoever has `$token`, if it is set.
check() {
    (cd "$folder" && exec "$program" serve --address 127.0.0.1:0 --db "$db" "$@") \
        >"$folder/said" 2>&1 &
    server=$!
    base=$(address)
    set --
    # A token that revokes itself has nothing more to ask. Data are checked more closely than the
    # document can say (times, cursors, bodies that may be left away); this is about who may do what.
    [ -z "$token" ] || set -- --header "Authorization: Bearer $token" \
        --exclude-path "/api/v1/tokens/{token}" \
        --exclude-checks positive_data_acceptance,negative_data_rejection
    # What is asked for in vain is told apart from what is wrong by the checks themselves.
    (cd "$folder" && "$schemathesis" --no-color run "$base/api/openapi.json" "$@" \
        --checks all --max-examples "$examples" --seed "$seed" --generation-database none \
        --phases examples,coverage,fuzzing,stateful --suppress-health-check all \
        --request-timeout 10 --warnings off --continue-on-failure)
    finish
    rm -f "$folder"/test.db*
}

# An account of this name, staff or not.
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
