# Outlives its host by a moment, to kill what the host has left behind.
# $1: the host's token; $2: the host's scratch folder
# stdin: ends with the host; stdout: the process groups that run

trap '' HUP INT QUIT PIPE ALRM TERM USR1 USR2 TSTP TTIN TTOU

while read -r _; do :; done

while read -r group; do
    [ -z "$group" ] || kill -s KILL -- "-$group"
done <&1

# Whoever left its group still has the token in its environment. One who forks may be missed by a
# look; two looks in a row that find nobody end the search, and so does a process that cannot die.
if cd /proc/self; then
    cd /proc
    quiet=0 looks=0
    while [ "$quiet" -lt 2 ] && [ "$looks" -lt 100 ]; do
        quiet=$((quiet + 1)) looks=$((looks + 1))
        [ "$looks" -lt 10 ] || sleep 1
        for found in $(grep -lsF -- "WORKFLOW_HOST=$1" [0-9]*/environ); do
            kill -s KILL "${found%%/*}" && quiet=0
        done
    done
fi

rm -rf -- "$2"
