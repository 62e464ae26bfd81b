"""A scriptable SMTP server for specs, on 127.0.0.1 and a port of the kernel's.

    /usr/bin/python3 -I smtp.py        (started by smtp.lua, which is the interface that specs use)

One JSON object a line on standard input is a command, each is answered by one line on standard output; the server ends with its
standard input. Bytes of mails travel as hexadecimal text.

    {"do": "listen", "tls": null | "start" | "implicit", "certificate": "…", "users": {"name": "password"}, "size": 1000,
     "mechanisms": ["PLAIN"], "login_without_tls": false}           -> {"server": 1, "port": 40000}
    {"do": "answer", "server": 1, "stage": "RCPT", "answers": [ANSWER, …]}     -> {}
    {"do": "told", "server": 1}     -> {"mails": [MAIL, …], "lines": ["1 EHLO x", …], "opened": 1, "open": 0}
    {"do": "forget", "server": 1}   -> {}
    {"do": "drop", "server": 1}     -> {}      closes every open connection
    {"do": "close", "server": 1}    -> {}      stops listening

What answers may say, and what is told of mails, is described in smtp.lua.
"""
import base64
import json
import socket
import ssl
import sys
import threading
import time


class Gone(Exception):
    """The connection ended, or the script wants it ended."""


class Connection:
    """One client, from its greeting to its end."""

    def __init__(self, server, connection, number):
        self.server, self.connection, self.number = server, connection, number
        self.kept = b""
        self.secured = False
        self.user = None
        self.sender = None
        self.recipients = []
        self.parameters = ""

    # ---- lines ----

    def line(self):
        while b"\n" not in self.kept:
            piece = self.connection.recv(65536)
            if not piece:
                raise Gone
            self.kept += piece
        line, self.kept = self.kept.split(b"\n", 1)
        return line + b"\n"

    def say(self, text):
        self.connection.sendall(text.encode("latin-1") + b"\r\n")

    def answer(self, stage, usual):
        """What the script says for a stage, else the usual reply. True if that was the usual, or the script's is positive."""
        scripted = self.server.next_answer(stage)
        if scripted is None:
            self.say(usual)
            return True
        if "delay_ms" in scripted:
            time.sleep(scripted["delay_ms"] / 1000)
        if scripted.get("hang"):
            while self.connection.recv(65536):
                pass
            raise Gone
        if scripted.get("close"):
            raise Gone
        reply = scripted.get("reply", usual)
        while scripted.get("endless"):
            self.connection.sendall(reply.encode("latin-1"))
        self.say(reply)
        if scripted.get("then_close"):
            raise Gone
        return reply[0] in "23"

    # ---- the conversation ----

    def secure(self):
        self.connection = self.server.context.wrap_socket(self.connection, server_side=True)
        self.server.replace(self.number, self.connection)
        self.secured = True
        self.kept = b""

    def serve(self):
        if self.server.tls == "implicit":
            self.secure()
        self.answer("greeting", "220 fake.invalid ESMTP")
        while True:
            text = self.line().decode("latin-1").rstrip("\r\n")
            verb, _, rest = text.partition(" ")
            verb = verb.upper()
            self.server.note(self.number, "AUTH …" if verb == "AUTH" else text)
            method = getattr(self, "do_" + verb.lower(), None)
            if method:
                method(rest)
            else:
                self.answer(verb, "502 5.5.1 no such command")

    def do_ehlo(self, name):
        lines = ["fake.invalid greets " + name]
        if self.server.size:
            lines.append("SIZE %d" % self.server.size)
        if self.server.tls == "start" and not self.secured:
            lines.append("STARTTLS")
        if self.server.users and (self.secured or self.server.login_without_tls):
            lines.append("AUTH " + " ".join(self.server.mechanisms))
        usual = "\r\n".join("250%s%s" % (" " if index == len(lines) - 1 else "-", line) for index, line in enumerate(lines))
        self.answer("EHLO", usual)

    def do_helo(self, _):
        self.answer("HELO", "250 fake.invalid")

    def do_starttls(self, _):
        if self.answer("STARTTLS", "220 2.0.0 go ahead"):
            self.secure()

    def do_auth(self, rest):
        mechanism, _, initial = rest.partition(" ")
        if mechanism.upper() == "LOGIN":
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.line()).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.line()).decode()
        else:
            if not initial:
                self.say("334 ")
                initial = self.line()
            _, user, password = base64.b64decode(initial).decode().split("\0")
        good = self.server.users.get(user) == password
        usual = "235 2.7.0 welcome" if good else "535 5.7.8 wrong user or password"
        if self.answer("AUTH", usual) and good:
            self.user = user

    def do_noop(self, _):
        self.answer("NOOP", "250 2.0.0 yes")

    def do_mail(self, rest):
        path, _, self.parameters = rest[len("FROM:"):].strip().partition(" ")
        self.sender, self.recipients = path.strip("<>"), []
        self.answer("MAIL", "250 2.1.0 fine")

    def do_rcpt(self, rest):
        address = rest[len("TO:"):].strip().partition(" ")[0].strip("<>")
        stage = "RCPT " + address if self.server.has("RCPT " + address) else "RCPT"
        if self.answer(stage, "250 2.1.5 fine"):
            self.recipients.append(address)

    def do_data(self, _):
        if self.answer("DATA", "354 go on"):
            data = b""
            while True:
                line = self.line()
                if line == b".\r\n":
                    break
                data += line[1:] if line.startswith(b".") else line
            scripted = self.server.peek("message")
            if scripted and scripted.get("reply", "2")[0] == "2" and scripted.get("taken", True) or not scripted:
                self.server.take(self, data)
            self.answer("message", "250 2.0.0 taken")

    def do_rset(self, _):
        self.answer("RSET", "250 2.0.0 fine")

    def do_quit(self, _):
        self.answer("QUIT", "221 2.0.0 farewell")
        raise Gone


class Server:
    def __init__(self, command):
        self.tls = command.get("tls")
        self.users = command.get("users") or {}
        self.size = command.get("size")
        self.mechanisms = command.get("mechanisms") or ["PLAIN", "LOGIN"]
        self.login_without_tls = command.get("login_without_tls")
        self.context = None
        if self.tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(command["certificate"])
        self.lock = threading.Lock()
        self.answers, self.open = {}, {}
        self.number = 0
        self.forget()
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def forget(self):
        self.mails, self.lines, self.opened = [], [], 0

    def accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with self.lock:
                self.opened += 1
                self.number += 1
                self.open[self.number] = connection
                one = Connection(self, connection, self.number)
            threading.Thread(target=self.attend, args=(one,), daemon=True).start()

    def attend(self, one):
        try:
            one.serve()
        except (Gone, OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.pop(one.number, None)
            one.connection.close()

    def replace(self, number, connection):
        with self.lock:
            self.open[number] = connection

    def note(self, number, text):
        with self.lock:
            self.lines.append("%d %s" % (number, text))

    def has(self, stage):
        with self.lock:
            return bool(self.answers.get(stage))

    def peek(self, stage):
        with self.lock:
            answers = self.answers.get(stage)
            return answers[0] if answers else None

    def next_answer(self, stage):
        with self.lock:
            answers = self.answers.get(stage)
            if not answers:
                return None
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def take(self, one, data):
        with self.lock:
            self.mails.append({"from": one.sender, "to": one.recipients, "data": data.hex(), "tls": one.secured,
                               "user": one.user or "", "connection": one.number, "parameters": one.parameters})

    def told(self):
        with self.lock:
            return {"mails": self.mails, "lines": self.lines, "opened": self.opened, "open": len(self.open)}

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


def obey(servers, command):
    verb = command["do"]
    if verb == "listen":
        servers.append(Server(command))
        return {"server": len(servers), "port": servers[-1].port}
    server = servers[command["server"] - 1]
    if verb == "answer":
        with server.lock:
            server.answers[command["stage"]] = command["answers"]
    elif verb == "told":
        return server.told()
    elif verb == "forget":
        with server.lock:
            server.forget()
    elif verb == "drop":
        server.drop()
    elif verb == "close":
        server.close()
    else:
        raise ValueError("no such command: " + verb)
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
