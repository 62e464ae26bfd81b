#include "container.h"

#include "lists.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/keyctl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#if defined(__x86_64__)
static const char architecture[] = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
static const char architecture[] = "SCMP_ARCH_AARCH64";
#elif defined(__riscv)
static const char architecture[] = "SCMP_ARCH_RISCV64";
#elif defined(__powerpc64__)
static const char architecture[] = "SCMP_ARCH_PPC64LE";
#else
#error "name this architecture as libseccomp does"
#endif

/* Local sockets are the only ones that anybody makes, and a key ring of one's own the only thing that is done with keys. */
const struct container_condition container_conditions[] = {
    { "socket", 0, AF_UNIX },
    { "socketpair", 0, AF_UNIX },
    { "keyctl", 0, KEYCTL_JOIN_SESSION_KEYRING },
    { NULL, 0, 0 },
};

static bool is_conditional(const char *name) {
    for (size_t i = 0; container_conditions[i].name; i++) {
        if (strcmp(container_conditions[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool among(const char *const *names, const char *name) {
    for (size_t i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

void container_visit(void (*each)(const char *name, int answer, void *context), void *context) {
    const char *const *const lists[] = { rules_allowed, rules_conditional, rules_building };
    for (size_t list = 0; list < sizeof lists / sizeof *lists; list++) {
        for (size_t i = 0; lists[list][i]; i++) {
            if (!is_conditional(lists[list][i])) {
                each(lists[list][i], 0, context);
            }
        }
    }
    for (size_t i = 0; rules_absent[i]; i++) {
        if (!among(rules_building, rules_absent[i])) {
            each(rules_absent[i], ENOSYS, context);
        }
    }
}

/* The names of one answer, as they come. */
struct printing {
    FILE *file;
    int answer;
    bool some;
};

static void print_name(const char *name, int answer, void *context) {
    struct printing *printing = context;
    if (answer == printing->answer) {
        fprintf(printing->file, "%s\n        \"%s\"", printing->some ? "," : "", name);
        printing->some = true;
    }
}

static void print_names(FILE *file, int answer) {
    struct printing printing = { .file = file, .answer = answer };
    fprintf(file, "    {\n      \"names\": [");
    container_visit(print_name, &printing);
    fprintf(file, "\n      ],\n");
    if (answer) {
        fprintf(file, "      \"action\": \"SCMP_ACT_ERRNO\",\n      \"errnoRet\": %d\n    }", answer);
    } else {
        fprintf(file, "      \"action\": \"SCMP_ACT_ALLOW\"\n    }");
    }
}

static void print_condition(FILE *file, const struct container_condition *condition) {
    fprintf(file,
            "    {\n      \"names\": [\"%s\"],\n      \"action\": \"SCMP_ACT_ALLOW\",\n"
            "      \"args\": [{ \"index\": %u, \"value\": %" PRIu64 ", \"op\": \"SCMP_CMP_EQ\" }]\n    }",
            condition->name, condition->argument, condition->value);
}

void container_print(FILE *file) {
    fprintf(file,
            "{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\",\n  \"defaultErrnoRet\": %d,\n"
            "  \"architectures\": [\"%s\"],\n  \"syscalls\": [\n",
            EPERM, architecture);
    print_names(file, 0);
    for (size_t i = 0; container_conditions[i].name; i++) {
        fprintf(file, ",\n");
        print_condition(file, &container_conditions[i]);
    }
    fprintf(file, ",\n");
    print_names(file, ENOSYS);
    fprintf(file, "\n  ]\n}\n");
}
