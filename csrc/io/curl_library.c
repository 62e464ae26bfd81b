#include "curl_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LEAST_VERSION = 0x075100, PROTOCOL_NAMES_VERSION = 0x075500, CACHE_AND_EXIT_VERSION = 0x075700 };

static char problem[256];

static bool find(struct curl_library *library, void *handle) {
    const char *missing = NULL;
    void *symbol;
    /* A pointer to data isn't one to a function in C, though POSIX makes them alike: hence memcpy. */
#define FIND(name)                                  \
    symbol = dlsym(handle, "curl_" #name);          \
    memcpy(&library->name, &symbol, sizeof symbol); \
    if (!symbol)                                    \
        missing = "curl_" #name;
    CURL_FUNCTIONS(FIND)
#undef FIND
    if (missing)
        snprintf(problem, sizeof problem, "libcurl.so.4 has no %s: install libcurl4 7.81 or newer", missing);
    return !missing;
}

static bool fits(struct curl_library *library) {
    const int needed = CURL_VERSION_SSL | CURL_VERSION_ASYNCHDNS;
    const curl_version_info_data *version = library->version_info(CURLVERSION_NOW);
    if (version->version_num < LEAST_VERSION) {
        snprintf(problem, sizeof problem, "libcurl is %s: install 7.81 or newer", version->version);
        return false;
    }
    if ((version->features & needed) != needed) {
        snprintf(problem, sizeof problem,
                 "libcurl is built without TLS or without its own resolver thread: install Debian's libcurl4");
        return false;
    }
    library->has_protocol_names = version->version_num >= PROTOCOL_NAMES_VERSION;
    library->has_cache_and_exit = version->version_num >= CACHE_AND_EXIT_VERSION;
    return true;
}

static bool load(struct curl_library *library) {
    void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        snprintf(problem, sizeof problem, "HTTP and mail need libcurl (Debian: libcurl4), which can't be loaded: %s",
                 dlerror());
        return false;
    }
    if (!find(library, handle) || !fits(library))
        return false;
    if (library->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(problem, sizeof problem, "libcurl can't be initialised");
        return false;
    }
    return true;
}

const struct curl_library *curl_library(const char **message) {
    static struct curl_library library;
    static bool tried, loaded;
    if (!tried) {
        tried = true;
        loaded = load(&library);
    }
    *message = problem;
    return loaded ? &library : NULL;
}

bool curl_result_is_tls(CURLcode result) {
    switch (result) {
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_PEER_FAILED_VERIFICATION: return true;
    default: return false;
    }
}
