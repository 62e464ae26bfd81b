--- Lines of a message's header: whatever a text holds, one field comes out of it, of ASCII, in lines that are short enough.
--- RFC 5322 (fields), 2047 (words that aren't ASCII), 2231 (file names that aren't).
local host = require "submitter.host"
local units = require "submitter.units"

local header = {}

-- An encoded word has 75 characters at most (RFC 2047, section 2): "=?UTF-8?B?" and "?=" leave 63, so 60 digits of base64.
local WORD_BYTES = 45
-- What is longer is nobody's name and no title.
local TEXT_BYTES = 400

-- Valid UTF-8 without control characters, line ends above all; C1 ones (U+0080 to U+009F) as well.
local function tame(text)
  local repaired = host.text.repair(text)
  return (repaired:gsub("%c", " "):gsub("\xC2[\x80-\x9F]", " "):gsub("^ +", ""):gsub(" +$", ""))
end

-- Each holds whole characters (RFC 2047, section 5), so that readers may decode one by one.
local function encoded_words(text)
  local words = {}
  while text ~= "" do
    local piece = units.cut(text, WORD_BYTES)
    words[#words + 1] = "=?UTF-8?B?" .. host.smtp.base64(piece):gsub("\r\n", "") .. "?="
    text = text:sub(#piece + 1)
  end
  return table.concat(words, "\r\n ")
end

--- A text as the value of a field such as Subject.
---@param text string any bytes
---@return string
function header.text(text)
  local tamed = units.cut(tame(text), TEXT_BYTES)
  if #tamed <= 65 and not tamed:find "[^ -~]" and not tamed:find("=?", 1, true) then return tamed end
  return encoded_words(tamed)
end

--- An address with the name of its owner.
---@param name string|nil any bytes
---@param address string without a problem (submitter.mail.address)
---@return string
function header.mailbox(name, address)
  local tamed = units.cut(tame(name or ""), TEXT_BYTES)
  if tamed == "" then return address end
  -- Quotes, brackets, commas and all that has a meaning of its own in such a field goes into an encoded word.
  local phrase = #tamed <= 65 and not tamed:find "[^%w '-]" and tamed or encoded_words(tamed)
  return ("%s\r\n <%s>"):format(phrase, address)
end

--- The name of a file: as a parameter of Content-Disposition, and without all that isn't plain, for one of Content-Type, which
--- is where old readers look.
---@param name string any bytes
---@return string parameter
---@return string plain
function header.file_name(name)
  local tamed = units.cut(tame(name), 255):gsub("/", "_")
  local plain = tamed:gsub("[^%w._-]", "_")
  if plain == tamed then return ('filename="%s"'):format(plain), plain end
  local encoded = tamed:gsub("[^%w._-]", function(byte) return ("%%%02X"):format(byte:byte()) end)
  return "filename*=UTF-8''" .. encoded, plain
end

local days = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }

--- RFC 5322, section 3.3, in UTC.
---@param epoch_ms integer
---@return string "Tue, 24 Nov 2026 05:55:34 +0000"
function header.date(epoch_ms)
  local parts = os.date("!*t", epoch_ms // 1000)
  return ("%s, %02d %s %04d %02d:%02d:%02d +0000"):format(days[parts.wday], parts.day, months[parts.month], parts.year,
    parts.hour, parts.min, parts.sec)
end

return header
