---@meta submitter.core.task
--- Coroutines that the host schedules: one thread, many tasks, each reading top to bottom.
--- A task's own coroutine can't be resumed or closed by anybody else: coroutine.resume and coroutine.close throw.
local task = {}

---@class Task
local Task = {}

--- Starts a task. It runs when the caller next waits or ends, never at once. A Lua error that nobody catches ends this
--- task only: it is logged once with its traceback (event `task_failed`) unless somebody joined the task beforehand.
---@param name string for logs and tracebacks
---@param body fun(...)
---@param ... any handed to body
---@return Task
function task.spawn(name, body, ...) end

--- The task that is running. The script's own top level is a task too (`"main"`).
---@return Task
function task.current() end

--- Runs body in the current task; when it takes longer than the time given, its current wait is cancelled (an error that
--- unwinds body, so to-be-closed variables and pcall clean-ups run) and `nil, message, "timeout"` is returned. Nests.
---@async
---@param milliseconds integer
---@param body fun(...):...
---@return any ... what body returned
function task.within(milliseconds, body, ...) end

--- A flag that tasks wait for. `set` wakes all who wait and stays set until `clear`.
---@return Event
function task.event() end

--- Calls handler in a fresh task each time the process gets the signal ("TERM", "INT", "HUP", "USR1", …).
---@param signal string
---@param handler fun(signal:string)
---@return SignalHandle
function task.on_signal(signal, handler) end

--- How many tasks exist that have not ended, the caller included.
---@return integer
function task.count() end

---@return string
function Task:name() end

---@return boolean
function Task:done() end

--- Waits until the task ended. True and its results; or nil, message, code ("failed" or "cancelled").
---@async
function Task:join() end

--- Throws an error, whose text holds "cancelled" and the reason, at the place where the task waits or will wait next.
--- Delivered once: what the task does to clean up may wait again. A wait that can't be interrupted (file work in the thread
--- pool) is finished first. No effect on a task that ended.
---@param reason string|nil
function Task:cancel(reason) end

---@class Event
local Event = {}
--- True; or nil, message, "timeout".
---@async
---@param timeout_ms integer|nil
function Event:wait(timeout_ms) end
function Event:set() end
function Event:clear() end
---@return boolean
function Event:is_set() end

---@class SignalHandle
local SignalHandle = {}
function SignalHandle:close() end

return task
