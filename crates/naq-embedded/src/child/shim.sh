# Runs nats-server so that it cannot outlive the process that started it.
#
#   $1    run directory; removed once the starter is gone
#   $2    log file
#   rest  the server and its arguments
#
# Standard input is the lifeline: a pipe whose other end only the starter holds and never writes to. End of file on it
# means that the starter is gone, however it went. Standard output carries one line: the server's process id.
run=$1
log=$2
shift 2
# Every file that Rust opens is closed at exec anyhow; 3 to 9 are what a shell can close of those that the starter was
# itself started with.
exec 3<&0 </dev/null 2>>"$log" 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-

"$@" >>"$log" 3<&- &
server=$!

# A process group that loses its last tie to its session while a member is stopped is hung up on by the kernel. That is
# just when the watcher has to do its work. Set only now, so that the server is not started with the signal ignored.
trap '' HUP

(
    exec >/dev/null
    read -r _ <&3
    # The main part below ends us when the server has ended; from here on there is work to finish first.
    trap '' TERM
    kill -TERM "$server" 2>/dev/null
    # A paused server handles its signals only once it goes on.
    kill -CONT "$server" 2>/dev/null
    n=0
    while kill -0 "$server" 2>/dev/null; do
        if [ "$n" -ge 10 ]; then kill -KILL "$server" 2>/dev/null; fi
        n=$((n + 1))
        sleep 0.1
    done
    rm -rf "$run"
) &
watcher=$!

echo "$server"
exec >/dev/null 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$status"
