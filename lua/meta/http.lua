---@meta submitter.core.http
--- HTTP/1.1 and HTTP/2 (where TLS agrees on it) by libcurl, which is loaded at the first request. Connections are kept for later
--- requests (at most 64 that wait), and carry one request at a time. TLS is 1.2 or newer and always verified. Nothing is added
--- to a request but Host and Content-Length; no redirect is followed, nothing decompressed, no cookie or password file read.
---
--- Codes of failures: "connect" (name resolution, refused, no route, a proxy that can't be reached or declines), "tls"
--- (handshake or verification), "timeout" (the message says which of the three), "cut" (the connection ended before the answer
--- was whole, or the answer is no HTTP), "too_large" (limit_bytes, 256 KiB of headers, or one line of them longer than libcurl
--- takes, about 100 KiB), "url" (malformed, longer than 256 KiB, or another scheme than http and https), "library" (libcurl isn't
--- there or doesn't fit). Messages name the host, never path, query or headers.
--- After "cut" and "timeout" the server may have carried the request out.
local http = {}

--- One request, bodies whole. Cancelling the task ends the transfer at once.
---
--- A request that went out on a kept connection which the server had just closed, unanswered, is sent once more on a fresh one, but
--- for those to a unix_socket.
---@async
---@param options {method:string|nil, url:string, headers:string[][]|nil, body:string|nil, timeout_ms:integer|nil, connect_timeout_ms:integer|nil, stall_ms:integer|nil, limit_bytes:integer|nil, proxy:string|false|nil, ca_file:string|nil, unix_socket:string|nil}
--- method: default "GET". url: sent as it is, byte for byte, so it must be encoded; without user, password and #.
--- headers: a list of { name, value }, sent in this order (Host always first), duplicates and empty values included; a
--- Content-Length must be the body's; Transfer-Encoding and Upgrade can't be given. Line ends and other control characters throw,
--- as do more than 256 KiB.
--- body: without one, PUT, POST and PATCH send Content-Length: 0.
--- timeout_ms: the whole (default 60000); connect_timeout_ms: until the connection stands, TLS included (5000); stall_ms: without
--- a byte either way (20000; of headers only whole lines count).
--- limit_bytes: of the answer's body (default 64 MiB).
--- proxy: nil: by http_proxy (lower case only), https_proxy, all_proxy, no_proxy; false: none; or a URL (http, https, socks5,
--- socks5h), then for every host.
--- ca_file: certificate authorities, PEM; nil: AWS_CA_BUNDLE, SSL_CERT_FILE, the system's. Read anew after ten minutes.
--- unix_socket: the absolute path of a Unix socket to connect to, whatever host the URL (of http) names, and never by a proxy.
--- Messages name it in the host's place. Connections are kept for each socket. Nothing is sent twice: where a kept connection ended
--- without a word the code is "cut".
--- Of the response, headers are { lower-case name, value } in order; reused: on a kept connection; resent: a kept connection ended
--- without a word, so the request was sent once more, and may have been carried out twice.
---@return {status:integer, headers:string[][], body:string, version:"1.0"|"1.1"|"2", reused:boolean, resent:boolean}|nil response
---@return string|nil message
---@return "connect"|"tls"|"timeout"|"cut"|"too_large"|"url"|"library"|nil code
function http.request(options) end

--- A request whose bodies go piece by piece, for what is too large to hold. Doesn't wait. Options as http.request, without body.
--- By HTTP/1.1 only: what comes on a stream of HTTP/2 that nobody reads, libcurl would hold, up to 32 MiB.
---
---     local exchange <close> = assert(http.open { method = "PUT", url = url, upload_bytes = size })
---     repeat … exchange:write(piece) … until done
---     local response = exchange:response()
---     repeat local piece = exchange:read() … until piece == ""
---
--- limit_bytes counts here, too. Time in which the other side waits for a write or a read counts for timeout_ms, not for stall_ms.
---@param options {method:string|nil, url:string, headers:string[][]|nil, upload_bytes:integer|nil, timeout_ms:integer|nil, connect_timeout_ms:integer|nil, stall_ms:integer|nil, limit_bytes:integer|nil, proxy:string|false|nil, ca_file:string|nil, unix_socket:string|nil}
--- upload_bytes: the length of the body, all of which must be written.
---@return Exchange|nil, string|nil, string|nil
function http.open(options) end

---@class Exchange a to-be-closed value as well; one task waits for each of response, read and write at a time
local Exchange = {}

--- Sends the next piece of the body; returns when it was handed to the connection, so no more than one piece is held. Throws beyond
--- upload_bytes. Code "answered": the server has answered already and takes no more (see response). Cancelling it ends the exchange.
---@async
---@param data string
---@return true|nil, string|nil, string|nil
function Exchange:write(data) end

--- Status and headers, as soon as they are there: as http.request, without body.
---@async
---@return {status:integer, headers:string[][], version:string, reused:boolean, resent:boolean}|nil, string|nil, string|nil
function Exchange:response() end

--- The next piece of the answer's body; "" at its end. Not more than about 300 KiB are held unread.
---@async
---@return string|nil, string|nil, string|nil
function Exchange:read() end

--- Ends the exchange wherever it is.
function Exchange:close() end

return http
