--- Mails to students, with everything real: results recorded in PostgreSQL, reports in a bucket, Exim as the mail server. Prints
--- TAP.
---
---     build/submitter run spec/integration/mail.lua
local arg0 = arg[0]:match "^(.*)/[^/]*$" or "."
package.path = arg0 .. "/../?.lua;" .. arg0 .. "/../../?.lua;" .. package.path
local database = require "submitter.database"
local fields = require "submitter.mail.fields"
local host = require "submitter.host"
local key = require "submitter.key"
local mail_server = require "spec.integration.mail_server"
local mailer = require "submitter.mail.mailer"
local postgres = require "spec.postgres"
local python = require "spec.mail.python"
local record = require "submitter.record"
local schema = require "submitter.schema"
local store_directory = require "submitter.store.directory"
local support = require "spec.integration.support"

local STUDENTS, PATIENCE_MS = 20, 120000
local check = support.check

-- Names as students give them, and as some would like them to be.
local NAMES = {
  [1] = '"Eve" <x@example.org>, <student2@example.org>; Bcc: student2@example.org', [2] = "Jürgen Müßig",
  [3] = "😀 Ł, \"Ø\"; (x)", [4] = "", [5] = "student6@example.org",
  [6] = "=?UTF-8?Q?=0D=0ABcc:_student7=40example.org?=", [7] = ("ü"):rep(300),
}

local function token(number)
  return ("%032x"):format(number)
end

local function student(number)
  return "student" .. number
end

local function quoted(text)
  return "'" .. text:gsub("'", "''") .. "'"
end

-- ---- a class ----

local sql_server = postgres.shared()
local url = sql_server:migrated()
local pool = database.open { url = url }
local recorder = record.new { database = pool, mail = true }
local build = host.system.executable():match "^(.*)/"
local parent = assert(host.file.directory(build .. "/integration", { create = true }))
assert(parent:remove_tree "mail")
local folder = assert(parent:open("mail", { create = true }))
local store = store_directory.open {
  directory = assert(folder:open("bucket", { create = true })), locks = assert(folder:open("locks", { create = true })),
}

local students = { "later" }
do
  local statements = { "SELECT submitter.schedule('a', 'e', '2026-01-01Z', '2026-12-01Z');" }
  for number = 1, STUDENTS do
    students[#students + 1] = student(number)
    statements[number + 1] = ("SELECT submitter.enrol('a', 'e', '%s@example.org', %s, '%s');"):format(student(number),
      quoted(NAMES[number] or "Student " .. number), token(number))
  end
  for index, name in ipairs { "later", "gone" } do
    statements[#statements + 1] = ("SELECT submitter.enrol('a', 'e', '%s@example.org', '%s', '%s');"):format(name, name,
      token(99 + index))
  end
  sql_server:sql(url, table.concat(statements))
end

local server = mail_server.start { students = students }

-- A result as the pipeline publishes and records it, of a team.
local function hand_in(number, assignment, team, changes)
  local tokens = {}
  for index, member in ipairs(team) do tokens[index] = token(member) end
  local subid = ("%032x"):format(0xabc000 + number)
  local location = assert(key.location("a", "e", assignment, subid))
  local names = key.names(location, "test")
  local document = {
    schema = 1, subid = subid, admin = "a", event = "e", assignment = assignment, mode = "test", verdict = "WA",
    passed = 1, total = 2, points = 1, max_points = 2, attempt = 1, run = 1, source_sha256 = ("0"):rep(64),
    cases = host.json.array {}, submitted_at = "2026-02-01T12:00:00.000Z", started_at = "2026-02-01T12:00:01.000Z",
    finished_at = "2026-02-01T12:00:02.000Z",
  }
  for name, value in pairs(changes or {}) do document[name] = value end
  local csv = document.csv or ("input,expected output\r\n%s,%d\r\n"):format(assignment, number)
  document.csv = nil
  assert(store:put(names.result, host.json.encode(document)))
  assert(store:put(names.out, csv))
  assert(recorder:result({ location = location, mode = "test", document = { tokens = tokens } }, document))
  return csv
end

-- The settings as a configuration has them, defaults and all.
local function settings(changes)
  local given = { url = server.url, from = "grading@example.org", name = "Grading", ca_file = server.ca_file,
    user = "worker", password = "secret" }
  for name, value in pairs(changes or {}) do given[name] = value end
  return assert(schema.check({ type = "table", fields = fields.smtp.fields }, given))
end

local function new(changes)
  return assert(mailer.new { database = pool, store = store, settings = settings(changes) })
end

local function all_due()
  sql_server:sql(url, "UPDATE submitter.mails SET next_try_at = now() WHERE ended_at IS NULL")
end

local function count(condition)
  return tonumber(sql_server:sql(url, "SELECT count(*) FROM submitter.mails WHERE " .. condition))
end

local function eventually(condition)
  local until_ms = host.clock.monotonic_ms() + PATIENCE_MS
  repeat
    if condition() then return true end
    host.clock.sleep_ms(100)
  until host.clock.monotonic_ms() > until_ms
  return false
end

-- Exim delivers after it said that it took a mail.
local function delivered(number)
  return eventually(function()
    local sum = 0
    for _, name in ipairs(students) do sum = sum + #server:mails(name) end
    return sum >= number
  end)
end

-- Everything that is logged.
local lines = {}
for _, level in ipairs { "debug", "info", "warn", "error" } do
  host.log[level] = function(event, about)
    lines[#lines + 1] = { event = event, text = host.json.encode(about or {}) }
  end
end

local function events(name)
  local found = 0
  for _, line in ipairs(lines) do found = found + (line.event == name and 1 or 0) end
  return found
end

-- ---- a server that isn't to be trusted, or doesn't let us in ----

local others = {}
hand_in(1, "sum", { 1, 2, 3 })
hand_in(2, "sum", { 3, 4 })
for number = 5, STUDENTS do others[#others + 1] = number end

do
  local other = mail_server.start { students = {} }
  for _, one in ipairs { server.url, server.url_secure } do
    local sent, message, code = new({ url = one, ca_file = other.ca_file }):run_once()
    check(not sent and code == "tls", "a server whose certificate isn't trusted gets no mail: " .. one:match "^%w+",
      message)
    all_due()
  end
  other:close()
  local sent, message, code = new({ password = "wrong" }):run_once()
  check(not sent and code == "auth", "a login that is refused sends no mail", message)
  check(not (message or ""):find("wrong", 1, true), "and its message doesn't hold the password", message)
  local good, problem = mailer.check(settings())
  check(good, "the doctor's look at the server", problem)
  check(count "ended_at IS NULL" == 5 and #server:mails "student1" == 0,
    "all mails are still to be sent")
  all_due()
end

-- ---- a server that is away for a while ----

do
  server:stop()
  local one = new()
  local loop = host.task.spawn("mailer", one.loop, one)
  check(eventually(function() return one:problem() == "mail_server_away" end), "a server that is away is noticed")
  for number = 3, 8 do hand_in(number, "sum", { others[number], others[number + 1] }) end
  one:wake()
  host.clock.sleep_ms(200)
  check(count "outcome IS NOT NULL" == 0 and count "true" == 17, "mails wait while it is away")
  check(events "mail_server_away" == 4, "and that is told once a mailer", events "mail_server_away")
  server:resume()
  all_due()
  check(eventually(function()
    all_due() -- what was tried in vain would wait for minutes
    return count "outcome = 'sent'" == 17
  end), "once it is back, all go out by themselves", count "outcome = 'sent'")
  check(events "mail_server_back" == 1 and one:problem() == nil, "which is told as well")
  one:stop()
  check(loop:done(), "the loop ends when it is told to")
end

-- ---- who got what ----

-- Whom each mail of the class so far is for, by submission.
local expected = { [1] = { 1 }, [2] = { 1 }, [3] = { 1, 2 }, [4] = { 2 } }
for number = 3, 8 do
  for _, member in ipairs { others[number], others[number + 1] } do
    expected[member] = expected[member] or {}
    table.insert(expected[member], number)
  end
end

do
  check(delivered(17), "the server delivered all of them")
  local wrong, ids = {}, {}
  for number = 1, STUDENTS do
    local got = {}
    for _, text in ipairs(server:mails(student(number))) do
      local read = python.read(text)
      got[#got + 1] = tonumber(read.parts[2].data:match "sum,(%d+)\r\n$")
      local id = read.field "Message-ID"
      if ids[id] then wrong[#wrong + 1] = "twice: " .. id end
      ids[id] = true
      if #read.defects > 0 then wrong[#wrong + 1] = table.concat(read.defects, ", ") end
      if #read.to ~= 1 or read.to[1][2] ~= student(number) .. "@example.org" or read.field "Bcc" or read.field "Cc" then
        wrong[#wrong + 1] = ("to somebody else as well: %s"):format(text)
      end
      -- A name may be an address; those of others stand nowhere.
      local plain = text:gsub("To: .-\r?\n(%S)", "%1", 1):gsub("Envelope%-to: [^\n]*", ""):gsub("Delivery%-date", "")
      for other = 1, STUDENTS do
        local address = student(other) .. "@example.org"
        if other ~= number and plain:find("%f[%w]" .. address:gsub("%.", "%%.")) then
          wrong[#wrong + 1] = ("%s stands in a mail of %s"):format(address, student(number))
        end
      end
    end
    table.sort(got)
    local want = table.concat(expected[number] or {}, " ")
    if table.concat(got, " ") ~= want then
      wrong[#wrong + 1] = ("%s got %s instead of %s"):format(student(number), table.concat(got, " "), want)
    end
  end
  check(#wrong == 0, "each student got exactly his own mails, none with anything of another", table.concat(wrong, "; "))
end

-- ---- hostile names, large reports, recipients that can't be had ----

do
  local large = ("input,%s\r\n"):format(("é"):rep(40)):rep(12000)
  hand_in(20, "Übung \r\nBcc: x@example.org 😀", { 1 }, { csv = large, reason = "\r\n.\r\nMAIL FROM:<x@example.org>" })
  hand_in(21, "sum", { 100 })
  hand_in(22, "sum", { 101 })
  hand_in(23, "sum", { 19 })
  local before = #server:mails "student1"
  local counts, message = new({ url = server.url_secure }):run_once()
  check(counts and counts.sent == 2 and counts.deferred == 1 and counts.refused == 1,
    "one mail too many for its server, and one for nobody, hold up no other", message or host.json.encode(counts))
  check(count "outcome = 'refused' AND problem LIKE '%550%nobody of that name%'" == 1,
    "what is refused is kept with its reason")
  check(count "outcome IS NULL AND tries = 1 AND problem LIKE '%451%try again%'" == 1, "what is put off as well")
  check(delivered(19), "and the others are delivered")
  local found
  for _, text in ipairs(server:mails "student1") do
    local read = python.read(text)
    if read.parts[2].data == large then found = read end
  end
  check(#server:mails "student1" == before + 1 and found ~= nil, "a report of a megabyte comes whole")
  check(found and #large > 1000000 and not found.field "Bcc"
    and found.field "Subject":find "Übung +Bcc: x@example.org 😀",
    "hostile names are texts and nothing else", found and found.field "Subject")
  check(found and found.parts[2].name:find "^Übung.*😀.csv$", "also as the name of a file",
    found and found.parts[2].name)
  check(not server:log():find "x@example.org", "the server never heard of another recipient or sender")
end

do
  local told
  for _, line in ipairs(lines) do
    for _, name in ipairs { "student%d+", "later", "gone", "grading" } do
      told = told or line.text:find(name .. "@") and line.text
    end
  end
  check(not told, "no address was ever logged", told)
  check(count "ended_at IS NULL" == 1, "nothing is left to do but what was put off")
end

server:close()
pool:close()
folder:close()
assert(parent:remove_tree "mail")
support.finish()
