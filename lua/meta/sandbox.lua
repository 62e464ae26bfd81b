---@meta submitter.core.sandbox
--- One sandbox: built, given one submission, run case by case, closed. Usable from any script. It is either a child of this process
--- (start) or in a container, whose engine hands over its streams (attach).
local sandbox = {}

--- Builds the walls and starts the runner within them, before a submission is known. Limits are the largest that a case
--- of it will ask for. Codes: "environment" (this machine can't: the message says which wall and what to do), "protocol".
---@async
---@param options {limits:SandboxLimits, interpreter:string, read_only:string[]|nil, cgroup_parent:string|nil, accounting:"cgroup"|"container"|"rlimit"|nil, processors:number|nil, programs:string|nil}
--- interpreter: absolute path of the Python to use. read_only: more paths to show read-only inside; sockets and FIFOs
--- in them can be used from inside all the same, so name folders that hold none. cgroup_parent: where to make its
--- cgroups, a path from the hierarchy's root or a directory (default: below the cgroup of this process). accounting: default
--- "cgroup"; "container": by the counters of the container or pod that this process is in, where no cgroup can be made.
--- processors: how many processors' time a case gets, all its processes together, 0.1 to 1024, with cgroups only
--- (default: all there are). programs: the folder that holds
--- submitter-sandbox and submitter-runner (default: where this program stands).
---@return Sandbox|nil, string|nil, string|nil
function sandbox.start(options) end

--- Asks a container engine for a container's streams, by a connection of its own that the engine turns over (Docker Engine API,
--- "Attach to a container", API v1.41; answers 101 and 200). To be done before the container is started: nothing that the runner
--- in it says is lost then. The container is the caller's to make, start and remove; without a terminal, with
--- `OpenStdin` and `StdinOnce`, so that everything in it ends when this side goes away.
---
--- Codes: "connect" (no such socket, nobody listens, not for this user), "timeout", "cut" (the connection ended before the answer
--- was whole, or it is no HTTP), "refused" (the engine answered otherwise: the message has its status and its reason, the fourth
--- result is the status). Messages begin with the socket's path. Cancelling the task closes the connection.
---@async
---@param options {socket:string, path:string, limits:SandboxLimits, timeout_ms:integer|nil}
--- socket: absolute path of the engine's Unix socket. path: what is asked for, encoded, such as
--- "/v1.41/containers/ID/attach?stream=1&stdin=1&stdout=1&stderr=1". limits: the largest that a case will ask for.
--- timeout_ms: until the engine has answered (default 10000).
---@return Sandbox|nil, string|nil, "connect"|"timeout"|"cut"|"refused"|nil, integer|nil
function sandbox.attach(options) end

---@class SandboxLimits
---@field memory_bytes integer
---@field cpu_ms integer
---@field wall_ms integer
---@field output_bytes integer a stream's cap: stdout. stderr is kept to 64 KiB and counted towards the same cap
---@field processes integer
---@field file_bytes integer everything that it may write to files, all writable places together

---@class Sandbox a to-be-closed value as well
local Sandbox = {}

--- What the runner said of itself: accounting (nil before its first word), python: the version of the interpreter that it has of its
--- own (nil: it has none). usable: it is built and has not failed since, as a container that waits may.
---@return {protocol:1, accounting:"cgroup"|"container"|"rlimit"|nil, python:string|nil, usable:boolean}
function Sandbox:info() end

--- Of sandbox.attach only, once: waits for the runner's first word, which comes after the container is started, and builds. Codes
--- as sandbox.start, and "cut": the stream ended, which the end of the container's standard error may explain. Without a word for
--- 60 s: "sandbox".
---@async
---@return true|nil, string|nil, string|nil
function Sandbox:build() end

--- Hands the submission over, once. One that was attached runs the interpreter that the runner has of its own. Codes as case: when
--- the sandbox broke while nobody waited, the reason is told here.
---@async
---@param submission {files:{name:string, data:string}[], program:string, environment:table<string,string>|nil, limits:SandboxLimits}
--- program: the name among files that the interpreter is to run. Files stand in /usr/src/submitter, owned by the runner, read-only for
--- the student. environment default: PATH, HOME=/tmp, LANG=C.UTF-8.
---@return true|nil, string|nil, string|nil
function Sandbox:submit(submission) end

--- Runs the program once. limits default to those of submit, and are at most those. An error (nil, message, code) means that the
--- sandbox itself failed ("sandbox", "protocol", "environment", a word of the runner's such as "memory", or "cut": the container's
--- stream ended): ours, never the student's. "arguments": they are more than a program can be given; nothing was run.
---@async
---@param case {number:integer, arguments:string[], stdin:string|nil, limits:SandboxLimits|nil}
---@return SandboxResult|nil, string|nil, string|nil
function Sandbox:case(case) end

---@class SandboxResult
---@field ending "exit"|"signal"|"cpu"|"wall"|"memory"|"output" what ended it, from evidence: cpu and wall are TLE, memory is MLE, output is OLE
---@field exit_code integer|nil
---@field signal string|nil e.g. "SIGSEGV"
---@field cpu_ms integer
---@field wall_ms integer
---@field memory_bytes integer peak
---@field stdout string at most output_bytes
---@field stderr string
---@field stdout_truncated boolean
---@field stderr_truncated boolean
---@field cpu_us integer
---@field wall_us integer

--- Ends everything within and removes what was made; waits until it is gone. Of one that was attached: the runner is told to end, or
--- else the container's standard input is closed, which ends everything in it; true when the stream ended, at the latest after
--- 13 s, at once when the container has said nothing yet. Whether the container is gone, its engine knows.
---@async
---@return true|nil, string|nil, string|nil
function Sandbox:close() end

return sandbox
