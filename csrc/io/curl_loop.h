/* libcurl's multi interface on the process's loop: curl says which descriptors and which time it waits for, the loop waits.
 *
 * curl is entered from here only, and never while it calls back: its timer and socket callbacks do no more than arm the
 * loop's. Its handles alone keep the loop from nothing: a transfer's own deadline does (io/http.c). */
#ifndef SUBMITTER_IO_CURL_LOOP_H
#define SUBMITTER_IO_CURL_LOOP_H

#include <stdbool.h>

#include "curl_library.h"

/* Makes what all transfers share (connections, TLS sessions, resolved names), if it isn't there yet. ended(owner, result) is
 * called for each transfer that came to its end by itself, after it was taken off; owner is its CURLOPT_PRIVATE. False
 * without memory. */
bool curl_loop_open(const struct curl_library *library, void (*ended)(void *owner, CURLcode result));

/* Starts a transfer at once. False without memory. */
bool curl_loop_add(CURL *easy);

/* Takes a transfer off that has not ended; its connection is closed if the transfer left it in the middle of something. */
void curl_loop_remove(CURL *easy);

/* Lets transfers that were unpaused go on. */
void curl_loop_run(void);

/* Closes the connections that are kept. There must be no transfer. */
void curl_loop_close(void);

#endif
