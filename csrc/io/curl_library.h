/* libcurl, loaded when it is first needed. Linked, it and the thirty libraries behind it would cost every start of the host
 * 4 ms and 6 MiB, also where nothing speaks HTTP. */
#ifndef SUBMITTER_IO_CURL_LIBRARY_H
#define SUBMITTER_IO_CURL_LIBRARY_H

#include <curl/curl.h>
#include <stdbool.h>

/* Options younger than the oldest libcurl that will do (7.81: Ubuntu 22.04), by their numbers, which never change. */
#if LIBCURL_VERSION_NUM < 0x075500
#define CURLOPT_PROTOCOLS_STR ((CURLoption)(CURLOPTTYPE_STRINGPOINT + 318))
#endif
/* And CURLOPT_PROTOCOLS, of which newer headers warn. */
#define CURLOPT_PROTOCOL_BITS ((CURLoption)(CURLOPTTYPE_LONG + 181))
#if LIBCURL_VERSION_NUM < 0x075700
#define CURLOPT_CA_CACHE_TIMEOUT ((CURLoption)(CURLOPTTYPE_LONG + 321))
#define CURLOPT_QUICK_EXIT ((CURLoption)(CURLOPTTYPE_LONG + 322))
#endif

/* Each function of libcurl by its own name, without "curl_". */
#define CURL_FUNCTIONS(each)                                                                                     \
    each(global_init) each(version_info) each(easy_init) each(easy_cleanup) each(easy_setopt) each(easy_getinfo) \
        each(easy_pause) each(easy_strerror) each(easy_perform) each(easy_reset) each(slist_append)              \
            each(slist_free_all) each(share_init) each(share_setopt) each(share_cleanup) each(multi_init)        \
                each(multi_setopt) each(multi_add_handle) each(multi_remove_handle) each(multi_socket_action)    \
                    each(multi_info_read) each(multi_assign) each(multi_cleanup)

#define CURL_POINTER(name) __typeof__(curl_##name) *name;
struct curl_library {
    CURL_FUNCTIONS(CURL_POINTER)
    bool has_protocol_names; /* CURLOPT_PROTOCOLS_STR: 7.85 */
    bool has_cache_and_exit; /* CURLOPT_CA_CACHE_TIMEOUT, CURLOPT_QUICK_EXIT: 7.87 */
};
#undef CURL_POINTER

/* The library, or NULL and in message (static text) why it can't be used. Not tried again after a failure. */
const struct curl_library *curl_library(const char **message);

/* Is a result about TLS: its handshake, or whom to trust? */
bool curl_result_is_tls(CURLcode result);

#endif
