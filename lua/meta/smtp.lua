---@meta submitter.core.smtp
--- Mail by libcurl's SMTP (RFC 5321), on a thread of the session's own: libcurl waits where it is for a server's word about a mail,
--- and a mail server that thinks must not hold up anything else. TLS is 1.2 or newer and always verified; a password goes out under
--- TLS only. No proxy is used, whatever the environment says.
---
--- Codes of failures: "connect" (name resolution, refused, no route; or the server takes no connection now), "tls" (no STARTTLS
--- although it is required, handshake, verification), "timeout" (the message says which of the three), "cut" (the connection ended
--- before the server said what becomes of the mail), "refused" (5xx: for this recipient or message, for good), "deferred" (4xx for
--- this mail: later), "auth" (the login is refused, not offered, or missing), "sender" (5xx for `from`: no mail of this sender will
--- be taken), "url", "library" (libcurl isn't there or doesn't fit). Messages name the server and statuses, never an address, a login
--- or the server's own words.
---
--- After "cut" and "timeout" with details.handed_over the mail may have been taken.
local smtp = {}

--- A connection to one server, made when it is first needed and kept from one mail to the next. Doesn't wait.
---@param options {url:string, user:string|nil, password:string|nil, tls:"required"|"opportunistic"|"none"|nil, ca_file:string|nil, timeout_ms:integer|nil, connect_timeout_ms:integer|nil, stall_ms:integer|nil}
--- url: smtps://HOST[:465], or smtp://HOST:PORT for STARTTLS; a path is the name that the server is greeted with (EHLO), by
--- default the machine's.
--- user, password: logs in by PLAIN or LOGIN.
--- tls: of smtp://: STARTTLS or nothing (the default); STARTTLS where it is offered; never. With a password only the first.
--- ca_file: certificate authorities, PEM; nil: SSL_CERT_FILE, or the system's.
--- timeout_ms: a mail, whole (default 300000); connect_timeout_ms: until the connection stands, TLS and login included (20000);
--- stall_ms: without a word or a byte either way (120000: servers look into a mail before they take it).
---@return Session
function smtp.open(options) end

--- RFC 2045's base64: lines of 76 characters, each ended by CRLF.
---@param bytes string 64 MiB at most
---@return string
function smtp.base64(bytes) end

---@class Session a to-be-closed value as well; one task at a time uses it
local Session = {}

--- Sends one message to one recipient. Cancelling the task ends the connection.
---@async
---@param options {from:string, to:string, mail:string}
--- from, to: the envelope's addresses, name@host, ASCII, without brackets. mail: RFC 5322, whole: header, empty line, body; lines end
--- with CRLF and have 998 bytes at most; dots at their beginnings are taken care of. What doesn't fit throws, line ends and NULs in
--- an address above all.
---@return true|nil
---@return string|{reused:boolean} message; when sent: whether on a kept connection
---@return "connect"|"tls"|"timeout"|"cut"|"refused"|"deferred"|"auth"|"sender"|"url"|"library"|nil code
---@return {status:integer|nil, enhanced:string|nil, text:string|nil, stage:string, reused:boolean, handed_over:boolean}|nil details
--- status, enhanced (RFC 3463, "5.1.1") and text are of the server's last reply; text is its own words, which may repeat the
--- recipient's address, and perhaps no UTF-8. stage: "greeting", "hello", "starttls", "login", "sender", "recipient", "message".
function Session:send(options) end

--- Connects and logs in, if that isn't done yet, and asks for a sign of life (NOOP). Results as of send.
---@async
---@return true|nil
---@return string|table message
---@return string|nil code
---@return table|nil details
function Session:check() end

--- Takes leave of the server (QUIT), for five seconds at most. As a to-be-closed value, or when it is collected, that is done in the
--- background, and not at all at the end of the process.
---@async
---@return true
function Session:close() end

return smtp
