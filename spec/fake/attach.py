"""Unix sockets that answer as a script says, for specs of what is attached to a container.

    /usr/bin/python3 -I attach.py            (started by attach.lua, which is the interface that specs use)

One JSON object a line on standard input is a command, each is answered by one line on standard output; the server ends with its
standard input. Bytes travel as hexadecimal text.

    {"do": "listen", "path": "/…", "script": [STEP, …]}    -> {"server": 1}
    {"do": "script", "server": 1, "script": [STEP, …]}     -> {}     of connections from now on
    {"do": "told", "server": 1}          -> {"connections": [{…}, …]}
    {"do": "close", "server": 1}         -> {}                       also what is connected

What steps may say, and what is told of connections, is described in attach.lua.
"""
import hashlib
import json
import select
import socket
import struct
import subprocess
import sys
import threading
import time

PIECE = 64 << 10
HEADER = struct.Struct(">BxxxI")


class Gone(Exception):
    """The client closed the connection, or the script wants it closed."""


class Connection:
    def __init__(self, connection):
        self.socket = connection
        self.head = b""
        self.types = []        # of the protocol's frames
        self.received = 0      # bytes behind the head
        self.digest = hashlib.sha256()
        self.half_closed = False
        self.open = True
        self.reset = False
        self.problem = None

    # ---- in ----

    def more(self, count):
        piece = self.socket.recv(count)
        if not piece:
            self.half_closed = True
            raise Gone
        return piece

    def read_request(self):
        while not self.head.endswith(b"\r\n\r\n"):
            self.head += self.more(1)

    def exactly(self, count, every_ms):
        whole = bytearray()
        while len(whole) < count:
            piece = self.more(min(PIECE, count - len(whole)))
            self.received += len(piece)
            self.digest.update(piece)
            whole += piece
            if every_ms:
                time.sleep(every_ms / 1000)
        return bytes(whole)

    def read_until(self, wanted, every_ms):
        kind = None
        while kind != wanted:
            kind, length = struct.unpack("<BI", self.exactly(5, 0))
            self.exactly(length, every_ms)
            self.types.append(kind)

    def read_to_end(self):
        try:
            while True:
                self.exactly(1, 0)
        except Gone:
            pass

    # ---- out ----

    def send(self, data, step):
        size = step.get("piece_bytes") or len(data) or 1
        for _ in range(step.get("times", 1)):
            for start in range(0, len(data), size):
                self.socket.sendall(data[start:start + size])
                if step.get("every_ms"):
                    time.sleep(step["every_ms"] / 1000)

    def wait_until_gone(self):
        poll = select.poll()
        poll.register(self.socket, 0)  # POLLHUP: both ways
        poll.poll(60000)
        raise Gone

    def end(self, reset):
        if reset:  # a close of a Unix socket is one when something came and wasn't read
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            poll.poll(10000)
            self.reset = True
        raise Gone

    # ---- a program in the container's place ----

    def forward(self, stream, number, lock, step):
        while piece := stream.read1(PIECE):
            with lock:
                self.send(HEADER.pack(number, len(piece)) + piece, step)

    def relay(self, step):
        lock = threading.Lock()
        with subprocess.Popen(step["run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={}) as child:
            threads = [threading.Thread(target=self.forward, args=(stream, number, lock, step), daemon=True)
                       for stream, number in ((child.stdout, 1), (child.stderr, 2))]
            for thread in threads:
                thread.start()
            threading.Thread(target=self.feed, args=(child.stdin,), daemon=True).start()
            for thread in threads:
                thread.join()
            child.wait()

    def feed(self, stdin):
        try:
            while True:
                stdin.write(self.more(PIECE))
                stdin.flush()
        except (Gone, OSError):
            pass
        try:
            stdin.close()
        except OSError:
            pass

    # ---- the script ----

    def obey(self, step):
        if "send" in step:
            self.send(bytes.fromhex(step["send"]), step)
        elif "until" in step:
            self.read_until(step["until"], step.get("read_every_ms"))
        elif "run" in step:
            self.relay(step)
        elif step.get("request"):
            self.read_request()
        elif step.get("to_end"):
            self.read_to_end()
        elif step.get("silent"):
            self.wait_until_gone()
        elif "pause_ms" in step:
            time.sleep(step["pause_ms"] / 1000)
        elif "close" in step:
            self.end(step["close"] == "reset")
        else:
            raise ValueError("no such step: %r" % step)

    def serve(self, script):
        try:
            for step in script:
                self.obey(step)
        except (Gone, OSError):
            pass
        except Exception as problem:  # the spec that asks is told
            self.problem = "%s: %s" % (type(problem).__name__, problem)
        finally:
            self.close()

    def shut_down(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def close(self):
        if not self.reset:
            self.shut_down()
        self.socket.close()
        self.open = False

    def told(self):
        return {"head": self.head.hex(), "types": self.types, "received": self.received, "open": self.open,
                "sha256": self.digest.hexdigest(), "half_closed": self.half_closed, "problem": self.problem}


class Server:
    def __init__(self, path, script):
        self.script = script
        self.connections = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(16)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = Connection(self.socket.accept()[0])
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=connection.serve, args=(self.script,), daemon=True).start()

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # closed before
        self.socket.close()
        for connection in self.connections:
            if connection.open:
                connection.shut_down()


def obey(servers, command):
    if command["do"] == "listen":
        servers.append(Server(command["path"], command["script"]))
        return {"server": len(servers)}
    server = servers[command["server"] - 1]
    if command["do"] == "script":
        server.script = command["script"]
    elif command["do"] == "told":
        return {"connections": [connection.told() for connection in server.connections]}
    elif command["do"] == "close":
        server.close()
    else:
        raise ValueError("no such command: " + command["do"])
    return {}


def main():
    servers = []
    for line in sys.stdin:
        try:
            reply = obey(servers, json.loads(line))
        except Exception as problem:  # the spec that asked is told
            reply = {"error": "%s: %s" % (type(problem).__name__, problem)}
        print(json.dumps(reply), flush=True)


main()
