---@meta submitter.core.sandbox
--- One sandbox: built, given one submission, run case by case, closed. Usable from any script.
local sandbox = {}

--- Builds the walls and starts the runner within them, before a submission is known. Limits are the largest that a case
--- of it will ask for. Codes: "environment" (this machine can't: the message says which wall and what to do), "protocol".
---@async
---@param options {limits:SandboxLimits, interpreter:string, read_only:string[]|nil, cgroup_parent:string|nil, accounting:"cgroup"|"rlimit"|nil, processors:number|nil, programs:string|nil}
--- interpreter: absolute path of the Python to use. read_only: more paths to show read-only inside; sockets and FIFOs
--- in them can be used from inside all the same, so name folders that hold none. cgroup_parent: where to make its
--- cgroups, a path from the hierarchy's root or a directory (default: below the cgroup of this process). accounting: default
--- "cgroup". processors: how many processors' time a case gets, all its processes together, 0.1 to 1024, with cgroups only
--- (default: all there are). programs: the folder that holds
--- submitter-sandbox and submitter-runner (default: where this program stands).
---@return Sandbox|nil, string|nil, string|nil
function sandbox.start(options) end

---@class SandboxLimits
---@field memory_bytes integer
---@field cpu_ms integer
---@field wall_ms integer
---@field output_bytes integer a stream's cap: stdout. stderr is kept to 64 KiB and counted towards the same cap
---@field processes integer
---@field file_bytes integer everything that it may write to files, all writable places together

---@class Sandbox a to-be-closed value as well
local Sandbox = {}

--- {protocol=1, accounting="cgroup"|"container"|"rlimit"} as the runner said it.
---@return table
function Sandbox:info() end

--- Hands the submission over, once.
---@async
---@param submission {files:{name:string, data:string}[], program:string, environment:table<string,string>|nil, limits:SandboxLimits}
--- program: the name among files that the interpreter is to run. Files stand in /usr/src/submitter, owned by the runner, read-only for
--- the student. environment default: PATH, HOME=/tmp, LANG=C.UTF-8.
---@return true|nil, string|nil, string|nil
function Sandbox:submit(submission) end

--- Runs the program once. limits default to those of submit, and are at most those. An error (nil, message, code) means that the sandbox itself failed ("sandbox", "protocol", "environment"): ours, never the student's.
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

--- Ends everything within and removes what was made; waits until it is gone.
---@async
---@return true|nil, string|nil, string|nil
function Sandbox:close() end

return sandbox
