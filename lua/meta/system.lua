---@meta submitter.core.system
--- What the process and the machine are.
local system = {}
---@return integer
function system.pid() end
---@return integer effective user id
function system.user_id() end
---@return string
function system.hostname() end
--- Processors that this process may use.
---@return integer
function system.processors() end
---@param descriptor 0|1|2
---@return boolean
function system.is_terminal(descriptor) end
--- Columns of the terminal on standard output; 80 where there is none.
---@return integer
function system.columns() end
--- Absolute path of this program's file.
---@return string
function system.executable() end
--- Absolute path of the folder that holds the Lua modules.
---@return string
function system.lua_directory() end
--- The program's version, "0.1.0".
---@return string
function system.version() end
return system
