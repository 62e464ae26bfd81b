local header = require "submitter.mail.header"
local host = require "submitter.host"
local message = require "submitter.mail.message"
local python = require "spec.mail.python"

local NOW_MS = 1795499734123 -- 2026-11-24T05:55:34.123Z

local function content(changes)
  local made = {
    id = "0123456789abcdef", from = { address = "grading@example.org", name = "Grading" },
    to = { address = "student@example.org", name = "Ada Lovelace" }, subject = "[fall/sum] AC 9 of 10",
    date_ms = NOW_MS, text = "hello\n", attachment = { name = "sum.csv", data = "input,expected output\r\n1,2\r\n" },
  }
  for name, value in pairs(changes or {}) do
    if value == "none" then made[name] = nil else made[name] = value end
  end
  return made
end

-- What every message must be, whatever it is made of.
local function check_form(text)
  assert.is_nil(text:find "\r[^\n]")
  assert.is_nil(text:find "[^\r]\n")
  assert.is_nil(text:find "[\128-\255%z]")
  assert.are.equal("\r\n", text:sub(-2))
  local head = text:match "^(.-)\r\n\r\n"
  for line in (head .. "\r\n"):gmatch "([^\r\n]*)\r\n" do
    assert.is_true(#line <= 998)
    assert.is_truthy(line:find "^[%w-]+: %g" or line:find "^[%w-]+: $" or line:find "^ %g", line)
  end
  for line in text:gmatch "([^\r\n]*)\r\n" do assert.is_true(#line <= 998) end
end

local function read(changes)
  local text = message.build(content(changes))
  check_form(text)
  local found = python.read(text)
  assert.are.same({}, found.defects)
  return found, text
end

describe("a message", function()
  it("is a text and a file, to one", function()
    local found = read()
    assert.are.same({ { "Ada Lovelace", "student@example.org" } }, found.to)
    assert.are.same({ { "Grading", "grading@example.org" } }, found.from)
    assert.are.equal("[fall/sum] AC 9 of 10", found.field "Subject")
    assert.are.equal("2026-11-24T05:55:34+00:00", found.date)
    assert.are.equal("<0123456789abcdef@example.org>", found.field "Message-ID")
    assert.are.equal("auto-generated", found.field "Auto-Submitted")
    assert.are.equal(2, #found.parts)
    assert.are.same({ "text/plain", "utf-8", "hello\r\n" },
      { found.parts[1].type, found.parts[1].charset, found.parts[1].data })
    assert.are.same({ "text/csv", "utf-8", "sum.csv", "attachment", "input,expected output\r\n1,2\r\n" }, {
      found.parts[2].type, found.parts[2].charset, found.parts[2].name, found.parts[2].disposition, found.parts[2].data,
    })
  end)

  it("may do without file, names and Reply-To, or have one", function()
    local found = read { attachment = "none", from = { address = "a@b.c" }, to = { address = "d@e.f" } }
    assert.are.equal(1, #found.parts)
    assert.are.same({ { "", "d@e.f" } }, found.to)
    assert.is_nil(found.field "Reply-To")
    assert.are.equal("staff@example.org", (read { reply_to = "staff@example.org" }).field "Reply-To")
  end)

  it("is the same for the same content", function()
    assert.are.equal(message.build(content()), message.build(content()))
  end)

  local hostile = {
    '"Eve" <x@y>\r\nBcc: victim@example.org', "Eve\nBcc: victim@example.org\n\nhello", "a\0b", "Jürgen Müßig 😀 Ł",
    ("😀"):rep(60), "=?UTF-8?B?QmNj?=", 'quote " backslash \\ comma, semi; colon: (comment) <angle> [bracket] @',
    "\xff\xfe invalid", "\xc2\x85next\xe2\x80\xa8line", " spaces around ", "tab\tinside", ("x"):rep(2000),
    "Dr. rer. nat.", "From: nobody", "--=_0123456789abcdef", "",
  }

  it("holds hostile names and titles as they are, in fields of their own", function()
    for _, text in ipairs(hostile) do
      local found, raw = read { to = { address = "d@e.f", name = text }, subject = text, from = { address = "a@b.c",
        name = text }, attachment = { name = text .. ".csv", data = "x" } }
      assert.are.equal(1, #found.to)
      assert.are.equal("d@e.f", found.to[1][2])
      assert.are.equal("a@b.c", found.from[1][2])
      assert.is_nil(found.field "Bcc")
      assert.are.equal(8, #found.fields)
      assert.are.equal(2, #found.parts)
      assert.is_nil(raw:find("\nBcc", 1, true))
      if #text < 300 and not text:find "[%c\xff]" and not text:find "^ " and not text:find "\xc2" then
        assert.are.equal(text, found.field "Subject")
        -- Python leaves the space between two encoded words of a name in, against RFC 2047, section 6.2.
        assert.are.equal((text:gsub(" ", "")), (found.to[1][1]:gsub(" ", "")))
      end
    end
  end)

  it("names its file in any letters, and never a folder", function()
    assert.are.equal("Übung 1 😀.csv", (read { attachment = { name = "Übung 1 😀.csv", data = "x" } }).parts[2].name)
    assert.are.equal(".._.._x.csv", (read { attachment = { name = "../../x.csv", data = "x" } }).parts[2].name)
    local found = read { attachment = { name = ("ü"):rep(127) .. ".csv", data = "x" } }
    assert.is_truthy(found.parts[2].name:find "^ü")
  end)

  it("carries any text through", function()
    local lines = {}
    for byte = 1, 255 do
      if byte ~= 10 and byte ~= 13 then lines[#lines + 1] = string.char(byte):rep(byte % 7 + 1) end
    end
    local text = table.concat(lines, "\n") .. "\n.\n..\nFrom here\n" .. ("ü="):rep(200) .. " \n\ttab \n"
      .. ("x"):rep(3000) .. "\n"
    local found = read { text = text }
    assert.is_true(text:gsub("\n", "\r\n") == found.parts[1].data)
    for length = 70, 80 do
      for _, tail in ipairs { "ü", " ", "", "=", "\t" } do
        local line = ("x"):rep(length) .. tail
        local encoded = message.quoted_printable(line .. "\n")
        for part in encoded:gmatch "([^\r\n]*)\r\n" do assert.is_true(#part <= 76) end
        assert.are.equal(line .. "\r\n", (read { text = line .. "\n", attachment = "none" }).parts[1].data)
      end
    end
  end)

  it("carries large files in lines of their own", function()
    local data = host.digest.random(256, "raw"):rep(4096)
    local found = read { attachment = { name = "large.csv", data = data } }
    assert.is_true(data == found.parts[2].data)
  end)

  it("has a date", function()
    assert.are.equal("Thu, 01 Jan 1970 00:00:00 +0000", header.date(0))
    assert.are.equal("Thu, 29 Feb 2024 23:59:59 +0000", header.date(1709251199999))
  end)
end)
