--- A bucket in a directory: keys are paths below it, objects are regular files. It keeps S3's promises: whoever reads
--- sees a whole object, old or new; an ETag is the MD5 of the content; a conditional put succeeds for one of many.
--- Links, devices and folders are no objects, whoever put them there, and are never followed or opened.

local conditions = require "submitter.store.conditions"
local host = require "submitter.host"
local key = require "submitter.key"
local schema = require "submitter.schema"
local units = require "submitter.units"

local directory_store = {}

local reserved = ".submitter-"
local lock_wait_ms = 5000
local any_size_bytes = 1 << 40

---@class DirectoryStore
---@field drops_slash true "/a" and "a" are one object
local Store = { drops_slash = true }
Store.__index = Store

-- The path below the bucket; S3 tells "/a" from "a", a directory can't.
local function path_of(object_key)
  local good, message, code = key.check(object_key)
  if not good then
    return nil, message, code
  end
  return (object_key:gsub("^/", "", 1))
end

-- A key is shown whole: its end says which object it is.
local function quote(object_key)
  return units.format_text(object_key, key.limit_bytes)
end

-- What a failed access says about the object. Anything unexpected may pass, and is worth a retry.
local not_found_codes = { ENOENT = true, ENOTDIR = true, EISDIR = true, ELOOP = true, ENOTREG = true }

local function failure(object_key, message, code)
  local name = quote(object_key)
  if code == "ENOENT" or code == "ENOTDIR" then
    return nil, ("there is no object %s in the bucket"):format(name), "not_found"
  elseif not_found_codes[code] then
    return nil, ("%s in the bucket is no object but a folder, link or device"):format(name), "not_found"
  elseif code == "ENAMETOOLONG" then
    return nil, ("the key %s is longer than the bucket's file system can hold"):format(name), "invalid_key"
  end
  return nil, ("the object %s can't be accessed: %s"):format(name, message), "unavailable"
end

-- Metadata of a regular file, or why there is no object.
local function stat(self, object_key, path)
  local information, message, code = self.directory:stat(path)
  if not information then
    return failure(object_key, message, code)
  end
  if information.type ~= "file" then
    return failure(object_key, nil, "ENOTREG")
  end
  return information
end

--- Reads an object.
---@async
---@param object_key string
---@param options {limit_bytes:integer|nil}|nil code "too_large" when it holds more; default 256 MiB
---@return string|nil data
---@return {etag:string, size_bytes:integer, modified_ms:integer}|string metadata or message
---@return "not_found"|"too_large"|"invalid_key"|"unavailable"|nil code
function Store:get(object_key, options)
  schema.check_options(options, { limit_bytes = true }, "store:get(key, { limit_bytes = … })")
  local path, message, code = path_of(object_key)
  if not path then
    return nil, message, code
  end
  local limit_bytes = options and options.limit_bytes or 256 << 20
  local information
  information, message, code = stat(self, object_key, path)
  if not information then
    return nil, message, code
  end
  local data
  data, message, code = self.directory:read(path, { limit_bytes = limit_bytes })
  if code == "EFBIG" then
    return nil, ("the object %s has %s bytes; at most %d are read here"):format(quote(object_key),
      information.size_bytes > limit_bytes and information.size_bytes or "more", limit_bytes), "too_large"
  elseif not data then
    return failure(object_key, message, code)
  end
  return data, { etag = host.digest.md5(data), size_bytes = #data, modified_ms = information.modified_ms }
end

--- Says that an object is there, without reading it; therefore without its ETag.
---@async
---@param object_key string
---@return {size_bytes:integer, modified_ms:integer}|nil metadata
---@return string|nil message
---@return "not_found"|"invalid_key"|"unavailable"|nil code
function Store:head(object_key)
  local path, message, code = path_of(object_key)
  if not path then
    return nil, message, code
  end
  local information
  information, message, code = stat(self, object_key, path)
  if not information then
    return nil, message, code
  end
  return { size_bytes = information.size_bytes, modified_ms = information.modified_ms }
end

-- One lock for all that belongs to one submission: the key's first four segments are admin, event, assignment, subid.
-- Its whole truth stands elsewhere, in a folder with those of all others, who must not wait for each other there.
local function stripe_of(path)
  local folder = path:match("^[^/]+/[^/]+/[^/]+/[^/]+") or path
  local base, file = path:match("^([^/]+/[^/]+/[^/]+)/grading/results/([^/]+)$")
  local subid = file and file:match("^(%x+)%.")
  if subid and #subid == 32 then
    folder = base .. "/" .. subid
  end
  return host.digest.md5(folder):sub(1, 2)
end

local function lock(self, object_key, path)
  local held, message, code = self.locks:lock(stripe_of(path), { wait_ms = lock_wait_ms })
  if held then
    return held
  end
  if code == "busy" then
    message = ("another process has been writing there for more than %s"):format(units.format_ms(lock_wait_ms))
  end
  return nil, ("the object %s can't be locked: %s"):format(quote(object_key), message), "unavailable"
end

local function write_failure(object_key, message, code)
  local name = quote(object_key)
  if code == "ENOTDIR" or code == "ELOOP" then
    return nil, ("%s can't be written: an object or link stands where a part of the key needs a folder"):format(name),
      "invalid_key"
  elseif code == "EISDIR" or code == "ENOTEMPTY" then
    return nil, ("%s can't be written: there are objects below that key, and a folder can't be an object"):format(name),
      "invalid_key"
  elseif code == "ENAMETOOLONG" then
    return nil, ("%s can't be written: the key is longer than the bucket's file system can hold"):format(name),
      "invalid_key"
  end
  return nil, ("%s can't be written: %s"):format(name, message), "unavailable"
end

local function replace(self, object_key, path, data)
  local written, message, code = self.directory:replace(path, data, { parents = true })
  -- Objects that were deleted may have left empty folders, of which S3 would know nothing.
  if code == "EISDIR" and self.directory:remove(path) then
    written, message, code = self.directory:replace(path, data, { parents = true })
  end
  if not written then
    return write_failure(object_key, message, code)
  end
  return host.digest.md5(data)
end

-- Whether nothing stands there now. It needn't be read for that.
local function check_absence(self, object_key)
  local present, message, code = self:head(object_key)
  if present then
    return nil, ("the object %s stands already"):format(quote(object_key)), "conflict"
  elseif code ~= "not_found" then
    return nil, message, code
  end
  return true
end

-- Whether what stands there now is what the writer expects, however large it is.
local function check_condition(self, object_key, options)
  if options.if_none_match then
    return check_absence(self, object_key)
  end
  local data, metadata, code = self:get(object_key, { limit_bytes = any_size_bytes })
  if not data and code ~= "not_found" then
    return nil, metadata, code
  end
  local name = quote(object_key)
  if not data then
    return nil, ("the object %s is gone; expected the one with the ETag %s"):format(name, options.if_match), "conflict"
  elseif metadata.etag ~= options.if_match then
    return nil, ("the object %s has changed: its ETag is %s, expected %s"):format(name, metadata.etag,
      options.if_match), "conflict"
  end
  return true
end

--- Writes an object, atomically and durably. With a condition it succeeds only if the object that stands has that ETag
--- (`if_match`), or if none stands (`if_none_match = true`); else the code is "conflict". Every write takes the lock of
--- its submission, so that none can slip in between a condition's check and its write.
---@async
---@param object_key string
---@param data string
---@param options {if_match:string|nil, if_none_match:true|nil}|nil
---@return string|nil etag
---@return string|nil message
---@return "conflict"|"invalid_key"|"unavailable"|nil code
function Store:put(object_key, data, options)
  conditions.check(options)
  local path, message, code = path_of(object_key)
  if not path then
    return nil, message, code
  end
  local held
  held, message, code = lock(self, object_key, path)
  if not held then
    return nil, message, code
  end
  local guard <close> = held -- luacheck: ignore 211
  if options and next(options) then
    local good
    good, message, code = check_condition(self, object_key, options)
    if not good then
      return nil, message, code
    end
  end
  local etag
  etag, message, code = replace(self, object_key, path, data)
  return etag, message, code
end

--- Removes an object. True also when there was none.
---@async
---@param object_key string
---@return true|nil
---@return string|nil message
---@return "invalid_key"|"unavailable"|nil code
function Store:delete(object_key)
  local path, message, code = path_of(object_key)
  if not path then
    return nil, message, code
  end
  local held
  held, message, code = lock(self, object_key, path)
  if not held then
    return nil, message, code
  end
  local guard <close> = held -- luacheck: ignore 211
  local information
  information, message, code = stat(self, object_key, path)
  if not information then
    if code == "not_found" then
      return true
    end
    return nil, message, code
  end
  local removed
  removed, message, code = self.directory:remove(path)
  if not removed and code ~= "ENOENT" then
    return nil, ("the object %s can't be deleted: %s"):format(quote(object_key), message), "unavailable"
  end
  return true
end

local function check_prefix(prefix)
  if type(prefix) ~= "string" then
    error("expected store:list(prefix), a text that may be empty", 3)
  end
  local folder = prefix:match("^/?(.*)/[^/]*$") or ""
  if folder ~= "" then
    local good, message, code = key.check(folder)
    if not good then
      return nil, message, code
    end
  end
  return folder
end

-- Adds the object at path to found; an object that is gone by now isn't one.
local function add_object(self, path, shown, found)
  local information, message, code = self.directory:stat(path)
  if information then
    if information.type == "file" then
      found[#found + 1] =
        { key = shown, size_bytes = information.size_bytes, modified_ms = information.modified_ms }
    end
    return true
  end
  if not_found_codes[code] then
    return true
  end
  return failure(shown, message, code)
end

local function read_folder(self, folder)
  local entries, message, code = self.directory:list(folder == "" and "." or folder)
  if not entries then
    if not_found_codes[code] then
      return {}
    end
    return failure(folder, message, code)
  end
  return entries
end

-- Whether anything at or below a path can have a key that begins with the prefix.
local function may_match(path, prefix)
  local length = math.min(#path, #prefix)
  return path:sub(1, length) == prefix:sub(1, length)
end

--- All objects whose keys begin with a prefix, sorted by their bytes. Their keys begin with "/" if the prefix does.
--- Only the folder that the prefix names is walked.
---@async
---@param prefix string may be empty
---@return {key:string, size_bytes:integer, modified_ms:integer}[]|nil
---@return string|nil message
---@return "invalid_key"|"unavailable"|nil code
function Store:list(prefix)
  local start, message, code = check_prefix(prefix)
  if not start then
    return nil, message, code
  end
  local root = prefix:sub(1, 1) == "/" and "/" or ""
  local wanted = prefix:sub(#root + 1)
  local found, waiting = {}, { start }
  while #waiting > 0 do
    local folder = table.remove(waiting)
    local entries
    entries, message, code = read_folder(self, folder)
    if not entries then
      return nil, message, code
    end
    for _, entry in ipairs(entries) do
      local path = folder == "" and entry.name or folder .. "/" .. entry.name
      local hidden = entry.name:sub(1, #reserved) == reserved or #path + #root > key.limit_bytes
      if not hidden and may_match(path, wanted) then
        if entry.type == "directory" then
          waiting[#waiting + 1] = path
        elseif entry.type == "file" and #path >= #wanted then
          local good
          good, message, code = add_object(self, path, root .. path, found)
          if not good then
            return nil, message, code
          end
        end
      end
    end
  end
  table.sort(found, function(left, right) return left.key < right.key end)
  return found
end

--- Opens a bucket.
---@param options {directory:Directory, locks:Directory} the bucket, and a folder outside it for lock files
---@return DirectoryStore
function directory_store.open(options)
  if not options.directory or not options.locks then
    error("expected store.open{ directory = Directory, locks = Directory }", 2)
  end
  return setmetatable({ directory = options.directory, locks = options.locks }, Store)
end

return directory_store
