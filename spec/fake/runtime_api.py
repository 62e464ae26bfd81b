"""The Lambda Runtime API, as strict as AWS publishes it ("Using the Lambda runtime API for custom runtimes"), on 127.0.0.1
and a port of the kernel's.

    /usr/bin/python3 -I runtime_api.py        (started by runtime_api.lua, which is the interface that specs use)

It prints its port. Then one JSON object a line on standard input is a command, each is answered by one line on standard
output; the server ends with its standard input.

    {"do": "invoke", "event": "text", "left_ms": 3000, "headers": {…}}     -> {"id": "…"}     queues an invocation
    {"do": "outcome", "id": "…", "timeout_ms": 5000}   -> {"kind": "response"|"error"|"none", "body": …, "type": "…"}
    {"do": "refuse", "what": "next"|"response"|"error", "status": 403, "cut": false}  -> {}  for the next such request
    {"do": "state"}   -> {"init_error": …, "violations": ["…"], "waiting": 1, "requests": 3, "connections": 1}

What a runtime must not do is refused as Lambda refuses it, and noted as a violation.
"""
import json
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PREFIX = "/2018-06-01/runtime/"
RESPONSE_LIMIT = 6 * 1024 * 1024 + 100
ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"


class Api:
    """The state of one execution environment: starting, then idle and invoking in turns."""

    def __init__(self):
        self.changed = threading.Condition()
        self.state = "starting"
        self.queued, self.outcomes, self.violations, self.refusals = [], {}, [], []
        self.current = self.init_error = None
        self.waiting = self.requests = self.connections = 0

    def violation(self, text):
        self.violations.append(text)

    def refusal(self, what):
        for one in self.refusals:
            if one["what"] == what:
                self.refusals.remove(one)
                return one
        return None

    def invoke(self, command):
        with self.changed:
            identity = str(uuid.uuid4())
            self.queued.append({"id": identity, **command})
            self.changed.notify_all()
            return {"id": identity}

    def outcome(self, command):
        until = time.monotonic() + command["timeout_ms"] / 1000
        with self.changed:
            while command["id"] not in self.outcomes:
                if not self.changed.wait(max(0, until - time.monotonic())) and time.monotonic() >= until:
                    return {"kind": "none"}
            return self.outcomes[command["id"]]

    def refuse(self, command):
        with self.changed:
            self.refusals.append(command)
            return {}

    def tell(self, _command):
        with self.changed:
            return {"init_error": self.init_error, "violations": self.violations, "waiting": self.waiting,
                    "requests": self.requests, "connections": self.connections}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "runtime-api"

    def setup(self):
        super().setup()
        with self.server.api.changed:
            self.server.api.connections += 1

    def log_message(self, *_arguments):
        pass

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, kind, message):
        body = json.dumps({"errorMessage": message, "errorType": kind}).encode()
        self.answer(status, body, [("Content-Type", "application/json")])

    def refused(self, what):
        """Answers as a command of the spec's says; True when it did."""
        with self.server.api.changed:
            one = self.server.api.refusal(what)
        if not one:
            return False
        if one.get("cut"):
            self.close_connection = True
        else:
            self.error(one["status"], "Refused", "as the spec wants it")
        return True

    def do_GET(self):
        api = self.server.api
        with api.changed:
            api.requests += 1
            if self.path != PREFIX + "invocation/next":
                api.violation("GET " + self.path)
                return self.error(404, "NotFound", "no such path")
            if self.headers.get("Transfer-Encoding") or int(self.headers.get("Content-Length") or 0):
                api.violation("next with a body")
            if api.state == "invoking":
                api.violation("next before the invocation was answered")
                return self.error(403, "InvalidStateTransition", "the invocation isn't answered")
            api.state = "idle"
        if self.refused("next"):
            return None
        with api.changed:
            api.waiting += 1
            while not api.queued:
                api.changed.wait()
            api.waiting -= 1
            one = api.current = api.queued.pop(0)
            api.state = "invoking"
        headers = {
            "Lambda-Runtime-Aws-Request-Id": one["id"],
            "Lambda-Runtime-Deadline-Ms": str(int(time.time() * 1000) + one.get("left_ms", 3000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:notify",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            "Content-Type": "application/json",
        }
        headers.update(one.get("headers") or {})
        return self.answer(200, one["event"].encode(), [(name, value) for name, value in headers.items() if value])

    def do_POST(self):
        api = self.server.api
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with api.changed:
            api.requests += 1
            if self.headers.get("Expect"):
                api.violation("Expect: " + self.headers["Expect"])
            if "Content-Length" not in self.headers:
                api.violation("a body without Content-Length")
        if self.path == PREFIX + "init/error":
            return self.start_failed(body)
        parts = self.path[len(PREFIX):].split("/") if self.path.startswith(PREFIX) else []
        if len(parts) != 3 or parts[0] != "invocation" or parts[2] not in ("response", "error"):
            with api.changed:
                api.violation("POST " + self.path)
            return self.error(404, "NotFound", "no such path")
        if self.refused(parts[2]):
            return None
        return self.invocation_answered(parts[1], parts[2], body)

    def failure(self, body):
        """The error that a runtime reports, held to AWS's form."""
        api = self.server.api
        try:
            told = json.loads(body)
            good = (isinstance(told["errorMessage"], str) and isinstance(told["errorType"], str)
                    and all(isinstance(line, str) for line in told["stackTrace"])
                    and isinstance(told["stackTrace"], list))
        except (ValueError, KeyError, TypeError):
            told, good = {"raw": body.decode("utf-8", "replace")}, False
        kind = self.headers.get(ERROR_TYPE)
        if not good:
            api.violation("an error that isn't {errorMessage, errorType, stackTrace}")
        if not kind or kind.count(".") != 1:
            api.violation(ERROR_TYPE + " isn't Category.Reason")
        return {"kind": "error", "body": told, "type": kind}

    def start_failed(self, body):
        api = self.server.api
        with api.changed:
            if api.state != "starting":
                api.violation("init/error after next")
                return self.error(403, "InvalidStateTransition", "it has started")
            api.init_error = self.failure(body)
            api.state = "failed"
        return self.answer(202, b'{"status":"OK"}\n')

    def invocation_answered(self, identity, what, body):
        api = self.server.api
        with api.changed:
            if api.state != "invoking":
                api.violation(what + " without an invocation")
                return self.error(403, "InvalidStateTransition", "nothing was invoked")
            if identity != api.current["id"]:
                api.violation(what + " to another invocation")
                return self.error(400, "InvalidRequestID", "Invalid request ID")
            if what == "error":
                outcome = self.failure(body)
            elif len(body) > RESPONSE_LIMIT:
                return self.error(413, "Function.ResponseSizeTooLarge", "it exceeds the maximum allowed payload size")
            else:
                outcome = {"kind": "response", "body": json.loads(body)}
            api.outcomes[identity] = outcome
            api.state = "idle"
            api.changed.notify_all()
        return self.answer(202, b'{"status":"OK"}\n')


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = server.api = Api()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    actions = {"invoke": api.invoke, "outcome": api.outcome, "refuse": api.refuse, "state": api.tell}
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(actions[command["do"]](command)), flush=True)


main()
