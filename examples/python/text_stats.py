"""Handler of the kind text.stats: the payload comes on standard input, the result goes to standard output.

Exit code 0: done. 65: this payload can never work, do not try again. Any other: failed, retried as the job says.
"""

import json
import os
import sys


def main():
    payload = json.load(sys.stdin)
    if not isinstance(payload, dict) or not isinstance(payload.get("text"), str):
        print('the payload must be {"text": "..."}', file=sys.stderr)
        return 65
    words = payload["text"].split()
    longest = max(words, key=len, default="")
    attempt = int(os.environ["NAQ_JOB_ATTEMPT"])
    json.dump({"words": len(words), "longest": longest, "attempt": attempt}, sys.stdout)
    return 0


sys.exit(main())
