# honest: sockets: pairs work; the network is refused at once and politely, by an OSError
# ending: exit 0
# output: pong OSError OSError
# modules: socket urllib.request
# within: 2s
import socket
import urllib.request

one, other = socket.socketpair()
one.sendall(b"pong")
answers = [other.recv(4).decode()]
for attempt in (lambda: socket.create_connection(("192.0.2.1", 80), 5), lambda: urllib.request.urlopen("http://example.com/")):
    try:
        attempt()
        answers.append("connected")
    except OSError:
        answers.append("OSError")
print(*answers)
