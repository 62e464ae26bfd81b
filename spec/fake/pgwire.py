"""A server that speaks PostgreSQL's protocol (version 3) as far as a script says, on 127.0.0.1 and a port of the kernel's.

    /usr/bin/python3 -I pgwire.py        (started by pgwire.lua, which is the interface that specs use)

The first line of its standard input is JSON: a list of scripts, one for each connection in the order in which they come, the last
one for all others. A script is a list of steps; what steps there are is told in pgwire.lua. The port is printed first, then one
JSON object for each thing that came. It ends with its standard input.
"""
import json
import os
import socket
import struct
import sys
import threading
import time

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
lock = threading.Lock()


def tell(**what):
    with lock:
        print(json.dumps(what), flush=True)


class Connection:
    def __init__(self, sock, number):
        self.sock, self.number = sock, number

    def take(self, count):
        data = b""
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def startup(self):
        """The greeting: requests for encryption are declined, one to cancel is told of and ends the connection."""
        while True:
            length, = struct.unpack(">I", self.take(4))
            body = self.take(length - 4)
            code, = struct.unpack(">I", body[:4])
            if code in (SSL_REQUEST, GSS_REQUEST):
                self.sock.sendall(b"N")
            elif code == CANCEL_REQUEST:
                tell(connection=self.number, came="cancel")
                raise EOFError
            else:
                words = body[4:].split(b"\0")
                pairs = dict(zip(words[::2], words[1::2]))
                tell(connection=self.number, came="startup",
                     settings={k.decode(): v.decode() for k, v in pairs.items() if k})
                return

    def query(self):
        """Messages until one that wants an answer: Query, Sync, or the farewell."""
        kinds = ""
        while True:
            kind = self.take(1)
            length, = struct.unpack(">I", self.take(4))
            body = self.take(length - 4)
            kinds += kind.decode()
            if kind in b"QSX":
                tell(connection=self.number, came=kinds, text=body.rstrip(b"\0").decode() if kind == b"Q" else None)
                if kind == b"X":
                    raise EOFError
                return

    def run(self, script):
        for step in script:
            if step == "startup":
                self.startup()
            elif step == "query":
                self.query()
            elif step == "hold":
                while self.sock.recv(65536):
                    pass
            elif step == "deaf":
                threading.Event().wait()
            elif step == "reset":
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            elif "say" in step:
                self.sock.sendall(bytes.fromhex(step["say"]))
            elif "flood" in step:
                flood = bytes.fromhex(step["flood"]) * 100000
                while True:
                    self.sock.sendall(flood)
            elif "pause_ms" in step:
                time.sleep(step["pause_ms"] / 1000)

    def serve(self, script):
        try:
            self.run(script)
        except (EOFError, OSError):
            pass
        finally:
            self.sock.close()
            tell(connection=self.number, came="end")


def accept(listener, scripts):
    number = 0
    while True:
        sock, _ = listener.accept()
        number += 1
        threading.Thread(target=Connection(sock, number).serve, args=(scripts[min(number, len(scripts)) - 1],),
                         daemon=True).start()


def fill(listener):
    """With its queue full the kernel drops what else wants to connect: a host that isn't there."""
    fillers = []
    for _ in range(3):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        fillers.append(sock)
    time.sleep(0.05)
    return fillers


def main():
    scripts = json.loads(sys.stdin.buffer.readline())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0 if scripts == "absent" else 128)
    kept = fill(listener) if scripts == "absent" else None
    print(listener.getsockname()[1], flush=True)
    if kept is None:
        threading.Thread(target=accept, args=(listener, scripts), daemon=True).start()
    while os.read(0, 4096):
        pass
    os._exit(0)


main()
