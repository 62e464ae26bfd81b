"""A scriptable HTTP(S) server and forward proxy for specs, on 127.0.0.1 and a port of the kernel's.

    /usr/bin/python3 -I web.py FOLDER        (started by web.lua, which is the interface that specs use)

FOLDER is for the certificates, and belongs to this process. One JSON object a line on standard input is a command, each is
answered by one line on standard output; the server ends with its standard input. Bytes travel as hexadecimal text.

    {"do": "listen", "tls": null | "good" | "expired" | "wrong_name" | "old", "greeting": null | "…", "unix": null | "/…"}
                                         -> {"server": 1, "port": 40000 | null, "ca_file": "…", "certificate": "…"}
    {"do": "route", "server": 1, "route": "GET /path", "answers": [ANSWER, …]}   -> {}
    {"do": "requests", "server": 1}      -> {"requests": [REQUEST, …]}
    {"do": "connections", "server": 1}   -> {"opened": 2, "open": 1, "handshakes_failed": 0}
    {"do": "forget", "server": 1}        -> {}      requests and the count of opened connections
    {"do": "drop", "server": 1}          -> {}      closes every open connection, idle or not
    {"do": "close", "server": 1}         -> {}

What answers may say, and what is told of requests, is described in web.lua.
"""
import hashlib
import json
import os
import select
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings

RECORDED_BYTES = 1 << 20
PIECE = 64 << 10


# ---- certificates ----

def openssl(*arguments):
    subprocess.run(["/usr/bin/openssl", *arguments], check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


class Authority:
    """A certificate authority that exists for this process only."""

    def __init__(self, folder):
        self.folder = folder
        self.ca_file = self.path("ca.pem")
        self.made = False

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self):
        if not self.made:
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=the specs' own authority", "-keyout", self.path("ca.key"), "-out", self.ca_file)
            self.made = True

    def issue(self, kind):
        """Returns the path of a file that holds key and certificate."""
        self.make()
        whole = self.path(kind + ".pem")
        if os.path.exists(whole):
            return whole
        names = "DNS:elsewhere.invalid" if kind == "wrong_name" else "DNS:localhost,IP:127.0.0.1,IP:::1"
        key, request, certificate, extensions = (self.path(kind + end) for end in (".key", ".csr", ".crt", ".ext"))
        with open(extensions, "w", encoding="ascii") as file:
            file.write("subjectAltName=" + names + "\nbasicConstraints=CA:false\nextendedKeyUsage=serverAuth\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + kind,
                "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self.path("ca.key"), "-CAcreateserial",
                "-days", "-1" if kind == "expired" else "1", "-extfile", extensions, "-out", certificate)
        with open(whole, "w", encoding="ascii") as file:
            for part in (key, certificate):
                with open(part, encoding="ascii") as source:
                    file.write(source.read())
        return whole

    def context(self, kind):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.issue("good" if kind == "old" else kind))
        context.set_alpn_protocols(["http/1.1"])
        if kind == "old":
            context.set_ciphers("ALL:@SECLEVEL=0")
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context


# ---- requests ----

class Gone(Exception):
    """The client closed the connection, or the script wants it closed."""


class Reader:
    """What a connection sends, piece by piece."""

    def __init__(self, connection):
        self.connection = connection
        self.kept = b""

    def more(self):
        piece = self.connection.recv(PIECE)
        if not piece:
            raise Gone
        self.kept += piece

    def until(self, mark):
        while mark not in self.kept:
            self.more()
        found, self.kept = self.kept.split(mark, 1)
        return found

    def exactly(self, count, sink):
        while count:
            if not self.kept:
                self.more()
            piece, self.kept = self.kept[:count], self.kept[count:]
            count -= len(piece)
            sink(piece)


class Request:
    """One request as it came, byte for byte."""

    def __init__(self, head, number):
        lines = head.split(b"\r\n")
        self.line = lines[0].decode("latin-1")
        self.method, self.target, self.version = self.line.split(" ", 2)
        self.fields = []
        for line in lines[1:]:
            name, _, value = line.decode("latin-1").partition(":")
            self.fields.append((name, value[1:] if value.startswith(" ") else value))
        self.connection = number
        self.length = 0
        self.body = b""
        self.digest = hashlib.sha256()
        self.complete = False
        self.begun = time.monotonic()
        self.gone_after = None

    def field(self, name):
        for key, value in self.fields:
            if key.lower() == name:
                return value.strip()
        return None

    def take(self, piece):
        self.length += len(piece)
        self.digest.update(piece)
        if len(self.body) < RECORDED_BYTES:
            self.body += piece[:RECORDED_BYTES - len(self.body)]

    def read_body(self, reader, pace):
        def sink(piece):
            self.take(piece)
            if pace:
                time.sleep(pace / 1000)
        if (self.field("transfer-encoding") or "").lower() == "chunked":
            while True:
                count = int(reader.until(b"\r\n").split(b";")[0], 16)
                reader.exactly(count, sink)
                reader.until(b"\r\n")
                if count == 0:
                    break
        else:
            reader.exactly(int(self.field("content-length") or 0), sink)
        self.complete = True

    def told(self):
        """For the specs; text is latin-1, which hexadecimal keeps byte for byte."""
        def as_hex(text):
            return text.encode("latin-1").hex()
        return {
            "line": as_hex(self.line), "method": as_hex(self.method), "target": as_hex(self.target),
            "version": as_hex(self.version), "headers": [[as_hex(name), as_hex(value)] for name, value in self.fields],
            "body": self.body.hex(), "body_bytes": self.length, "sha256": self.digest.hexdigest(),
            "connection": self.connection, "complete": self.complete,
            "gone_after_ms": self.gone_after,
        }


# ---- answers ----

class Wire:
    """Sends an answer, and cuts it off where the script says so."""

    def __init__(self, connection, answer):
        self.connection = connection
        self.left = answer.get("cut")
        self.reset = answer.get("reset")

    def send(self, data):
        if self.left is not None:
            data = data[:self.left]
            self.left -= len(data)
        self.connection.sendall(data)
        if self.left == 0:
            self.end()

    def end(self):
        if self.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Gone


def wait_until_gone(connection, seconds):
    """Whether the client closes within that time; what it sends meanwhile stays unread."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(seconds * 1000))


def head_of(answer, length):
    status = answer.get("status", 200)
    lines = ["HTTP/%s %d %s" % (answer.get("version", "1.1"), status, answer.get("reason", "Said"))]
    names = set()
    for name, value in answer.get("headers", []):
        name, value = bytes.fromhex(name).decode("latin-1"), bytes.fromhex(value).decode("latin-1")
        lines.append(name + ": " + value)
        names.add(name.lower())
    if answer.get("chunked") or answer.get("endless"):
        lines.append("Transfer-Encoding: chunked")
    elif "content-length" not in names and answer.get("length", True) and status >= 200 and status != 204:
        lines.append("Content-Length: %d" % length)
    if answer.get("close"):
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def pieces_of(answer, body):
    if answer.get("endless"):
        while True:
            yield b"x" * PIECE
    if "fill" in answer:
        left = answer["fill"]
        while left:
            count = min(left, PIECE)
            yield b"x" * count
            left -= count
        return
    step = answer.get("piece_bytes") or PIECE
    for start in range(0, len(body), step):
        yield body[start:start + step]


def send_answer(connection, answer, request):
    wire = Wire(connection, answer)
    if answer.get("cut") == 0:
        wire.end()
    if "raw" in answer:
        wire.send(bytes.fromhex(answer["raw"]))
        return
    body = bytes.fromhex(answer.get("body", ""))
    if answer.get("echo"):
        body = json.dumps(request.told()).encode("ascii")
    wire.send(head_of(answer, answer.get("fill", len(body))))
    if request.method == "HEAD":
        return
    chunked = answer.get("chunked") or answer.get("endless")
    for piece in pieces_of(answer, body):
        wire.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if answer.get("every_ms"):
            time.sleep(answer["every_ms"] / 1000)
    if chunked:
        wire.send(b"0\r\n\r\n")


# ---- proxy ----

def target_of(authority, default):
    host, _, port = authority.rpartition(":")
    if not host:
        host, port = authority, default
    return host.strip("[]"), int(port)


def relay(one, other):
    ends = {one: other, other: one}
    while True:
        for end in select.select(list(ends), [], [])[0]:
            piece = end.recv(PIECE)
            if not piece:
                return
            ends[end].sendall(piece)


def tunnel(connection, request):
    try:
        upstream = socket.create_connection(target_of(request.target, 443), timeout=10)
    except OSError:
        connection.sendall(b"HTTP/1.1 502 Unreachable\r\nContent-Length: 0\r\n\r\n")
        raise Gone from None
    with upstream:
        upstream.settimeout(None)
        connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
        relay(connection, upstream)
    raise Gone


def forward(connection, request):
    """A plain proxy's part: one request to one fresh connection, whose answer goes back until it closes."""
    authority, slash, path = request.target.split("://", 1)[1].partition("/")
    head = "%s %s %s\r\n" % (request.method, slash + path or "/", request.version)
    for name, value in request.fields:
        if not name.lower().startswith("proxy-"):
            head += "%s: %s\r\n" % (name, value)
    with socket.create_connection(target_of(authority, 80), timeout=10) as upstream:
        upstream.settimeout(None)
        upstream.sendall((head + "Connection: close\r\n\r\n").encode("latin-1") + request.body)
        while piece := upstream.recv(PIECE):
            connection.sendall(piece)
    raise Gone


# ---- servers ----

class Server:
    def __init__(self, authority, tls, greeting, unix):
        self.greeting = bytes.fromhex(greeting or "")
        self.context = authority.context(tls) if tls else None
        self.lock = threading.Lock()
        self.routes, self.requests, self.open = {}, [], {}
        self.opened = self.number = self.failed = 0
        if unix:
            self.socket, self.port = socket.socket(socket.AF_UNIX), None
            self.socket.bind(unix)
            self.socket.listen(512)
        else:
            self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with self.lock:
                self.opened += 1
                self.number += 1
                number = self.number
                self.open[number] = connection
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection, number):
        if self.port:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sendall(self.greeting)
            if self.context:
                connection = self.secure(connection, number)
            reader = Reader(connection)
            while True:
                request = Request(reader.until(b"\r\n\r\n"), number)
                with self.lock:
                    self.requests.append(request)
                self.answer(connection, reader, request)
        except (Gone, OSError):
            pass
        finally:
            with self.lock:
                self.open.pop(number, None)
            connection.close()

    def secure(self, connection, number):
        try:
            secured = self.context.wrap_socket(connection, server_side=True)
        except (OSError, ssl.SSLError):
            with self.lock:
                self.failed += 1
            raise Gone from None
        with self.lock:
            self.open[number] = secured
        return secured

    def next_answer(self, request):
        path = request.target.partition("?")[0]
        with self.lock:
            for route in (request.method + " " + request.target, request.method + " " + path, "* " + path, "*"):
                answers = self.routes.get(route)
                if answers:
                    return answers.pop(0) if len(answers) > 1 else answers[0]
        return None

    def answer(self, connection, reader, request):
        answer = self.next_answer(request)
        if answer is None and request.method == "CONNECT":
            request.complete = True
            tunnel(connection, request)
        if answer is None and "://" in request.target:
            request.read_body(reader, None)
            forward(connection, request)
        answer = answer or {"status": 404, "body": b"no such route".hex()}
        if not answer.get("early"):
            request.read_body(reader, answer.get("read_every_ms"))
        wait = 3600 if answer.get("silent") else answer.get("delay_ms", 0) / 1000
        try:
            if wait and wait_until_gone(connection, wait):
                raise Gone
            send_answer(connection, answer, request)
        except (Gone, OSError):
            request.gone_after = round((time.monotonic() - request.begun) * 1000)
            raise
        if answer.get("close") or answer.get("hang_up"):
            raise Gone

    def drop(self):
        with self.lock:
            connections = list(self.open.values())
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.drop()


def obey(authority, servers, command):
    verb = command["do"]
    if verb == "listen":
        tls = command.get("tls")
        server = Server(authority, tls, command.get("greeting"), command.get("unix"))
        servers.append(server)
        return {"server": len(servers), "port": server.port, "ca_file": authority.ca_file,
                "certificate": authority.path("%s.pem" % tls)}
    server = servers[command["server"] - 1]
    if verb == "route":
        with server.lock:
            server.routes[command["route"]] = command["answers"]
    elif verb == "requests":
        with server.lock:
            return {"requests": [request.told() for request in server.requests]}
    elif verb == "connections":
        with server.lock:
            return {"opened": server.opened, "open": len(server.open), "handshakes_failed": server.failed}
    elif verb == "forget":
        with server.lock:
            server.requests.clear()
            server.opened = server.failed = 0
    elif verb == "drop":
        server.drop()
    elif verb == "close":
        server.close()
    else:
        raise ValueError("no such command: " + verb)
    return {}


def main():
    authority, servers = Authority(sys.argv[1]), []
    for line in sys.stdin:
        try:
            reply = obey(authority, servers, json.loads(line))
        except Exception as problem:  # the spec that asked is told
            reply = {"error": "%s: %s" % (type(problem).__name__, problem)}
        print(json.dumps(reply), flush=True)


main()
