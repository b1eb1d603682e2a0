"""A cloud for kiln's tests: moto's EC2, STS and IAM behind one HTTP port, with machines that answer SSH.

Reads orders from standard input, one JSON object a line: {"dir": DIR, "net": N, "tls": false}. For each it forks a process that serves a
cloud of its own (loading moto takes two seconds, forking milliseconds) and prints {"port": P, "pid": PID}. All of them end
when standard input ends, that is, when the tests end, however they end.

DIR gets calls.jsonl (every API call), commands.log (every SSH command) and a folder for each machine.
"""
import json
import os
import signal
import sys
import threading

import credentials
import gaps
import machines
from front import Front


def serve(order):
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def make_environ(self):
            # werkzeug drops headers with an underscore in their name; the portal of SSO has one.
            return {**super().make_environ(), "HTTP_X_AMZ_SSO_BEARER_TOKEN": self.headers.get("x-amz-sso_bearer_token", "")}

        def log(self, *_args, **_kwargs):
            pass

    hosts = machines.Machines(order["dir"], order["net"], order["ssh_port"])
    front = Front(order["dir"], hosts)
    gaps.install(front, hosts)
    tls = credentials.certificates(order["dir"]) if order.get("tls") else None
    server = make_server("127.0.0.1", 0, front, threaded=True, request_handler=Quiet, ssl_context=tls)
    server.daemon_threads = True
    signal.signal(signal.SIGTERM, lambda *_: (hosts.close(), os._exit(0)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port, "pid": os.getpid()}), flush=True)
    threading.Event().wait()


def main():
    gaps.load()
    children = []
    print(json.dumps({"loaded": True}), flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            devnull = os.open(os.devnull, os.O_RDONLY)
            os.dup2(devnull, 0)
            serve(json.loads(line))
            os._exit(0)
        children.append(pid)
    for pid in children:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    main()
