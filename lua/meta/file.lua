---@meta submitter.core.file
--- Files, always relative to a directory that was opened, resolved beneath it by the kernel (openat2, RESOLVE_BENEATH and
--- RESOLVE_NO_MAGICLINKS): no path, link or race leads out of it. Links are not followed (code "ELOOP") unless `follow = true`,
--- and then only as far as they stay beneath. All waiting functions run in the thread pool. A path has 1 to 4,095 bytes, no NUL,
--- no leading "/", and no ".." segment (code "EINVAL"); "." is the directory itself. Modes are integers (420 is 0644).
local file = {}

--- Opens a directory by any path (absolute or relative to the process's working directory; links are followed here).
---@async
---@param path string
---@param options {create:boolean, mode:integer}|nil create: with parents, mode default 0755
---@return Directory|nil, string|nil, string|nil
function file.directory(path, options) end

---@class Directory
local Directory = {}

--- The path by which it was opened (made absolute).
---@return string
function Directory:path() end
function Directory:close() end

--- The whole of a regular file. Code "EFBIG" when it holds more than limit_bytes (default 256 MiB), "EISDIR",
--- "ENOTREG" for a FIFO, socket or device (never opened for reading).
---@async
---@param path string
---@param options {limit_bytes:integer, follow:boolean}|nil
---@return string|nil, string|nil, string|nil
function Directory:read(path, options) end

--- Writes a file in place (created, truncated). exclusive: "EEXIST" if it stands.
---@async
---@param path string
---@param data string
---@param options {mode:integer, exclusive:boolean, append:boolean, parents:boolean, sync:boolean, follow:boolean}|nil mode default 0644
---@return true|nil, string|nil, string|nil
function Directory:write(path, data, options) end

--- Puts a file in place atomically: written aside without a name, synced, linked, renamed, directory synced. A reader sees
--- the old content or the new. exclusive: "EEXIST" if it stands. sync (default true): fsync of file and directory.
--- Names that begin with ".submitter-" are its own, for the moment of replacing; they heal themselves after a crash.
---@async
---@param path string
---@param data string
---@param options {mode:integer, exclusive:boolean, parents:boolean, sync:boolean}|nil
---@return true|nil, string|nil, string|nil
function Directory:replace(path, data, options) end

--- Entries without "." and "..", sorted by bytes. type: "file", "directory", "link", "other".
---@async
---@param path string
---@return {name:string, type:string}[]|nil, string|nil, string|nil
function Directory:list(path) end

---@async
---@param path string
---@param options {follow:boolean}|nil
---@return {type:string, size_bytes:integer, modified_ms:integer, mode:integer, links:integer, inode:integer}|nil, string|nil, string|nil
function Directory:stat(path, options) end

--- parents: makes those that are missing, and is content if it stands already.
---@async
---@param path string
---@param options {parents:boolean, mode:integer}|nil mode default 0755
---@return true|nil, string|nil, string|nil
function Directory:make(path, options) end

--- Removes a file, link or empty directory.
---@async
---@return true|nil, string|nil, string|nil
function Directory:remove(path) end

--- Removes a whole tree, never following a link. True also when nothing was there.
---@async
---@return true|nil, string|nil, string|nil
function Directory:remove_tree(path) end

--- exclusive: "EEXIST" if the new name stands.
---@async
---@param options {exclusive:boolean, sync:boolean}|nil sync (default false): fsync of both directories
---@return true|nil, string|nil, string|nil
function Directory:rename(from, to, options) end

--- A directory below, opened.
---@async
---@param options {create:boolean, mode:integer}|nil create: with parents
---@return Directory|nil, string|nil, string|nil
function Directory:open(path, options) end

--- An advisory lock (flock) on a file (created if missing) or a directory; held until released, collected or the process
--- ends, however it ends. Waiting for it can be cancelled. Code "busy" if somebody else holds it and still does after wait_ms (default 0).
---@async
---@param options {shared:boolean, wait_ms:integer}|nil
---@return Lock|nil, string|nil, string|nil
function Directory:lock(path, options) end

--- Watches a directory for entries that appear, vanish or change.
---@param path string
---@return Watch|nil, string|nil, string|nil
function Directory:watch(path) end

---@class Lock a to-be-closed value as well
local Lock = {}
function Lock:release() end

---@class Watch a to-be-closed value as well
local Watch = {}
--- True as soon as anything changed since the watch began or the last wait returned; nil, message, "timeout".
---@async
---@param timeout_ms integer|nil
function Watch:wait(timeout_ms) end
function Watch:close() end

return file
