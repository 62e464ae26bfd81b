---@meta submitter.core.child
--- Other programs: no shell, environment given whole, waited for through a pidfd.
local child = {}

--- Starts a program. Descriptors not named here are not inherited.
---@async
---@param options {program:string, arguments:string[], environment:table<string,string>, directory:Directory|nil, stdin:string|nil, stdout:string|nil, stderr:string|nil, descriptors:table<integer,string>|nil, new_session:boolean|nil}
--- program: a path with a "/" (nothing is searched). arguments: without argv[0], default {}. environment: default empty.
--- stdin: "null" (default), "pipe", "inherit". stdout, stderr: "pipe" (default "null"), "null", "inherit".
--- descriptors: { [3] = "text" } gives the child a read-only descriptor 3 that holds the text.
---@return Child|nil, string|nil, string|nil
function child.start(options) end

--- start, feed, read both outputs with caps, wait; the whole of a small program's life in one call. The child is killed when the
--- calling task is cancelled.
---@async
---@param options table as start, and: input:string (fed to stdin), limit_bytes:integer (default 1 MiB, per stream)
---@return {exit_code:integer|nil, signal:string|nil, stdout:string, stderr:string, stdout_truncated:boolean, stderr_truncated:boolean, user_us:integer, system_us:integer, max_rss_bytes:integer}|nil, string|nil, string|nil
function child.run(options) end

---@class Child a to-be-closed value as well: closing kills it if it still runs. One task waits for it, and one reads each stream, at a time.
local Child = {}
---@return integer
function Child:pid() end
--- Once it ended: how, and what it used. May be called again.
---@async
---@return {exit_code:integer|nil, signal:string|nil, user_us:integer, system_us:integer, max_rss_bytes:integer}
function Child:wait() end
--- True; nil, message, "ESRCH" when it ended. Goes through the pidfd: never to another process.
---@param signal string|nil default "KILL"
function Child:kill(signal) end
--- The next piece of its output; "" at the end.
---@async
---@param stream "stdout"|"stderr"
---@return string|nil, string|nil, string|nil
function Child:read(stream) end
--- Code "EPIPE" when it doesn't read any more.
---@async
---@param data string
---@return true|nil, string|nil, string|nil
function Child:write(data) end
function Child:close_input() end
function Child:close() end

return child
