---@meta submitter.core.digest
--- From libcrypto, CRC-32 aside. Hexadecimal in lower case (the default), the raw bytes, or base64 with padding (RFC 4648).
local digest = {}
--- CRC-32 of IEEE 802.3, as zlib and S3 have it; its four bytes in big-endian order.
---@param bytes string
---@param form "hex"|"raw"|"base64"|nil
---@return string
function digest.crc32(bytes, form) end
---@param bytes string
---@param form "hex"|"raw"|"base64"|nil
---@return string
function digest.md5(bytes, form) end
---@param bytes string
---@param form "hex"|"raw"|"base64"|nil
---@return string
function digest.sha256(bytes, form) end
---@param key string
---@param bytes string
---@param form "hex"|"raw"|"base64"|nil
---@return string
function digest.hmac_sha256(key, bytes, form) end
--- From the kernel's generator (getrandom).
---@param count integer bytes, 1 to 256
---@param form "hex"|"raw"|"base64"|nil
---@return string
function digest.random(count, form) end
return digest
