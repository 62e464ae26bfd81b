--- What the kernel tells in files of its own, below /proc and /sys: they have no size, never wait, and are read whole.
local kernel = {}

--- The text of such a file; nil when it isn't there or may not be read.
---@param path string
---@return string|nil
function kernel.read(path)
  local stream = io.open(path, "rb")
  if not stream then return nil end
  local text = stream:read "a"
  stream:close()
  return text
end

return kernel
