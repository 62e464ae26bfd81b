---@meta submitter.core.digest
--- From libcrypto. Hexadecimal in lower case, or the raw bytes with form = "raw".
local digest = {}
---@param bytes string
---@param form "hex"|"raw"|nil
---@return string
function digest.md5(bytes, form) end
---@return string
function digest.sha256(bytes, form) end
---@param key string
---@param bytes string
---@return string
function digest.hmac_sha256(key, bytes, form) end
--- From the kernel's generator (getrandom).
---@param count integer bytes, 1 to 256
---@return string
function digest.random(count, form) end
return digest
