--- Files that the user named, written.
local host = require "submitter.host"

local output = {}

-- A device, a pipe or a link can't be put in the place of another file, only written.
local function write_through(path, data)
  local stream, message = io.open(path, "wb")
  if not stream then return nil, ("can't write %s; check the path"):format(message), "usage" end
  local written, problem = stream:write(data)
  local closed, closing = stream:close()
  if not written or not closed then
    return nil, ("can't write %s: %s"):format(path, problem or closing), "environment"
  end
  return true
end

--- Writes a file as a whole: who reads it meanwhile finds the old one or the new one. "-" is standard output.
---@async
---@param path string
---@param data string
---@return true|nil
---@return string|nil message
---@return string|nil code
function output.write(path, data)
  if path == "-" then
    io.stdout:write(data)
    return true
  end
  local folder, name = path:match "^(.*/)([^/]*)$"
  folder, name = folder or ".", name or path
  if name == "" then return nil, ("%q names no file"):format(path), "usage" end
  local directory, message = host.file.directory(folder)
  if not directory then return nil, ("can't write %s: %s; check the path"):format(path, message), "usage" end
  local about = directory:stat(name)
  if about and about.type ~= "file" then
    directory:close()
    return write_through(path, data)
  end
  local written
  written, message = directory:replace(name, data)
  directory:close()
  if not written then return nil, ("can't write %s: %s"):format(path, message), "environment" end
  return true
end

--- Writes files into a folder, which is made where it is missing.
---@async
---@param path string
---@param files table<string, string> by name
---@return true|nil
---@return string|nil message
---@return string|nil code
function output.write_all(path, files)
  local directory, message = host.file.directory(path, { create = true })
  if not directory then return nil, ("can't make or open the folder %s: %s"):format(path, message), "usage" end
  local written = true
  for name, data in pairs(files) do
    written, message = directory:replace(name, data)
    if not written then break end
  end
  directory:close()
  if not written then return nil, ("can't write into %s: %s"):format(path, message), "environment" end
  return true
end

return output
