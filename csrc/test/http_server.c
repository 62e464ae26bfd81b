/* A server that costs its clients as little as one can, for spec/bench/http.lua: keeps connections, answers every request
 * without a body with the same 100 bytes, "GET /connections" with the count of connections so far. Listens on 127.0.0.1 and a
 * port of the kernel's, which it prints; ends with its standard input. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS = 64, HEAD_BYTES = 8192, BODY_BYTES = 100 };

static int epoll;
static unsigned long connections;

struct client {
    int descriptor;
    size_t length;
    char head[HEAD_BYTES];
};

static void fail(const char *what) {
    perror(what);
    exit(EXIT_FAILURE);
}

static void watch(int descriptor, void *data) {
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        fail("epoll_ctl");
}

static int listen_anywhere(void) {
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, SOMAXCONN) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        fail("listening");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void welcome(int listener) {
    int descriptor = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), yes = 1;
    struct client *client = descriptor < 0 ? NULL : malloc(sizeof *client);
    if (!client)
        fail("accepting");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    client->descriptor = descriptor;
    client->length = 0;
    connections++;
    watch(descriptor, client);
}

static void answer(const struct client *client) {
    char text[HEAD_BYTES], body[BODY_BYTES + 1];
    if (!strncmp(client->head, "GET /connections ", strlen("GET /connections ")))
        snprintf(body, sizeof body, "%lu", connections);
    else
        snprintf(body, sizeof body, "%0*d", BODY_BYTES, 0);
    int length =
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
    if (write(client->descriptor, text, (size_t)length) != length)
        fail("answering");
}

static void listen_to(struct client *client) {
    ssize_t got = read(client->descriptor, client->head + client->length, sizeof client->head - client->length - 1);
    if (got <= 0) {
        close(client->descriptor);
        free(client);
        return;
    }
    client->length += (size_t)got;
    client->head[client->length] = '\0';
    const char *end;
    while ((end = strstr(client->head, "\r\n\r\n"))) {
        size_t taken = (size_t)(end + 4 - client->head);
        answer(client);
        memmove(client->head, end + 4, client->length - taken + 1);
        client->length -= taken;
    }
}

int main(void) {
    struct epoll_event events[EVENTS];
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_anywhere();
    static int owner = STDIN_FILENO;
    watch(listener, &listener);
    watch(owner, &owner);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int index = 0; index < count; index++) {
            if (events[index].data.ptr == &owner)
                return EXIT_SUCCESS;
            if (events[index].data.ptr == &listener)
                welcome(listener);
            else
                listen_to(events[index].data.ptr);
        }
    }
}
