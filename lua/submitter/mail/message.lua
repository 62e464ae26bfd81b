--- One message, whole, as it goes to a mail server: header, a text, perhaps a file (RFC 5322, 2045 to 2049). Built here and
--- not by libcurl's MIME interface: that knows neither encoded words nor RFC 2231, chooses its boundary by chance, and what goes
--- out could only be looked at by sending it.
local address = require "submitter.mail.address"
local header = require "submitter.mail.header"
local host = require "submitter.host"

local message = {}

local LINE = 76

-- RFC 2045, section 6.7. Lines that are cut end in "=", what isn't printable ASCII is written as =XX, white space at the end of a
-- line as well.
local function quoted_printable_line(line)
  local encoded = line:gsub("[^\t -<>-~]", function(byte) return ("=%02X"):format(byte:byte()) end)
    :gsub("[\t ]$", function(byte) return ("=%02X"):format(byte:byte()) end)
    -- A line that begins so is taken for the beginning of a message by what keeps mails in one file.
    :gsub("^From ", "=46rom ")
  local pieces = {}
  while #encoded > LINE do
    local stop = LINE - 1
    -- Not through an =XX.
    local escape = encoded:sub(stop - 1, stop):find("=", 1, true)
    if escape then stop = stop - 3 + escape end
    pieces[#pieces + 1] = encoded:sub(1, stop) .. "="
    encoded = encoded:sub(stop + 1)
  end
  pieces[#pieces + 1] = encoded
  return table.concat(pieces, "\r\n")
end

--- Lines of any text, each ended by CRLF.
---@param text string UTF-8, lines ended by \n
---@return string
function message.quoted_printable(text)
  local lines = {}
  for line in (text:gsub("\r\n?", "\n"):gsub("\n$", "") .. "\n"):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = quoted_printable_line(line)
  end
  return table.concat(lines, "\r\n") .. "\r\n"
end

-- Neither of the encodings above ever writes "=_" (RFC 2045, section 6.7), so that no content holds it.
local function multipart(parts, id)
  local boundary = "=_" .. id
  local pieces = {}
  for index, part in ipairs(parts) do
    -- The last line end is the boundary's, not the part's (RFC 2046, section 5.1.1).
    pieces[index] = ("--%s\r\n%s\r\n\r\n%s\r\n"):format(boundary, part.header, part.body)
  end
  return ('Content-Type: multipart/mixed;\r\n boundary="%s"'):format(boundary),
    ("%s--%s--\r\n"):format(table.concat(pieces), boundary)
end

---@class MailContent
---@field id string hexadecimal digits, the same whenever the same message is built: Message-ID and boundary are made of it
---@field from {address:string, name:string|nil}
---@field to {address:string, name:string|nil}
---@field reply_to string|nil
---@field subject string
---@field date_ms integer
---@field text string UTF-8
---@field attachment {name:string, data:string}|nil a CSV file

--- Addresses are without problems (submitter.mail.address); names, subject, text and attachment may be anything.
---@param content MailContent
---@return string
function message.build(content)
  local parts = { {
    header = "Content-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: quoted-printable",
    body = message.quoted_printable(content.text),
  } }
  if content.attachment then
    local parameter, plain = header.file_name(content.attachment.name)
    parts[2] = {
      header = ('Content-Type: text/csv; charset=UTF-8; header=present;\r\n name="%s"\r\n'
        .. "Content-Disposition: attachment;\r\n %s\r\nContent-Transfer-Encoding: base64"):format(plain, parameter),
      body = host.smtp.base64(content.attachment.data),
    }
  end
  local fields = {
    "Date: " .. header.date(content.date_ms),
    "From: " .. header.mailbox(content.from.name, content.from.address),
    "To: " .. header.mailbox(content.to.name, content.to.address),
    "Subject: " .. header.text(content.subject),
    ("Message-ID: <%s@%s>"):format(content.id, address.host(content.from.address)),
    -- RFC 3834: nobody's absence note is to answer it.
    "Auto-Submitted: auto-generated",
    "MIME-Version: 1.0",
  }
  if content.reply_to then table.insert(fields, 4, "Reply-To: " .. content.reply_to) end
  local body
  if #parts == 1 then
    fields[#fields + 1], body = parts[1].header, parts[1].body
  else
    fields[#fields + 1], body = multipart(parts, content.id)
  end
  return table.concat(fields, "\r\n") .. "\r\n\r\n" .. body
end

return message
