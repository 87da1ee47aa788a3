# Ends a browser's driver, and all that it has started, once the test is over.
#
#   $1  process group of the driver
#   $2  directory of the browser's files; removed at the end
#
# Standard input is the lifeline: a pipe whose other end only the test holds and never writes to. End of file on it means
# that the test is over, however it went.
read -r _
# A browser of a test has nothing to save.
kill -KILL "-$1" 2>/dev/null
n=0
# Bounded: under an init that does not reap, a dead process stays visible for ever.
while [ "$n" -lt 40 ] && kill -0 "-$1" 2>/dev/null; do
    n=$((n + 1))
    sleep 0.05
done
rm -rf "$2"
