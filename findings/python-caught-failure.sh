#!/bin/bash
# In CPython 3.12 and 3.13 an exception that was thrown into a coroutine, passed through an inner one and was caught in an
# outer one keeps the *callers* of the coroutines, with all their local variables, in a circle that only the garbage
# collector frees: the traceback keeps the frame of the inner coroutine, whose f_back keeps those that resumed it, one of
# which has the exception as its argument. In 3.11 and in 3.14 all is freed at once.
#
# Seen: 3.10.13, 3.11.7 freed; 3.12.1, 3.13.0, 3.13.5 (Debian 13) held; 3.14.8 freed.
# Where it matters: gateway/inspector/direction.py takes the traceback from a failure that was caught.
#
# Usage: findings/python-caught-failure.sh [PYTHON…]   By default each python3.N that is on the path, or pyenv's.

set -uo pipefail
program=$(mktemp)
trap 'rm -f "$program"' EXIT
cat >"$program" <<'END'
import gc
import sys
import weakref


class Mark:
    """A local variable of whoever resumes the coroutine."""


class Wait:
    def __await__(self):
        yield


async def inner():
    await Wait()


async def outer():
    try:
        await inner()
    except ValueError:
        return


def resume(coroutine, error, mark):
    try:
        coroutine.throw(error)
    except StopIteration:
        pass


def held():
    coroutine = outer()
    coroutine.send(None)
    mark = Mark()
    seen = weakref.ref(mark)
    resume(coroutine, ValueError(), mark)
    del mark, coroutine
    return seen() is not None


gc.disable()
version = sys.version_info[:2]
found = held()
print(sys.version.split()[0], "held until the collector runs" if found else "freed at once")
sys.exit(found != (version in ((3, 12), (3, 13))))
END

if [ $# -eq 0 ]; then
    set -- $(compgen -c python3. | grep -E '^python3\.[0-9]+$' | sort -u) "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3
fi
status=0 seen=0
for python in "$@"; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || continue
    "$python" "$program" || status=1
    seen=1
done
[ "$seen" = 1 ] && exit "$status"
echo "no Python from 3.10 on" >&2
exit 2
