"""Runs commands in forks of this process, which has imported all of `wsss` once for all of them.

A line of standard input is a request as JSON, and gets one line of JSON: `{"start": words, "said":
path}` the id of the process that leads a group of its own and writes what it says to the path,
`{"poll": id}` its exit status, null while it runs, and `{"wait": id}` its status when it has ended.
Nothing is computed here, so that there is no thread and no lock that a fork would miss.
"""

import importlib
import json
import os
import pkgutil
import sys

from forked_ranks import lend_forks


def serve() -> None:
    """Answer until the input ends; a fork leaves early, to become its command."""
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            answer = os.fork()
            if answer == 0:
                become(request["start"], request["said"])
                return
        else:
            ((how, process),) = request.items()
            ended, status = os.waitpid(process, os.WNOHANG if how == "poll" else 0)
            answer = os.waitstatus_to_exitcode(status) if ended else None
        print(json.dumps(answer), flush=True)
    os._exit(0)


def become(words: list[str], said: str) -> None:
    os.setsid()
    sys.argv = words
    nowhere = os.open(os.devnull, os.O_RDONLY)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for file, number in ((nowhere, 0), (output, 1), (output, 2)):
        os.dup2(file, number)
    if any(word.startswith("trainer=ddp") for word in words) and sys.platform == "linux":
        lend_forks()


if __name__ == "__main__":
    import wsss

    for module in pkgutil.walk_packages(wsss.__path__, "wsss."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    serve()
    from wsss.cli.main import main

    main()
