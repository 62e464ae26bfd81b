--- Empties the outbox (submitter.mails): one mail at a time, each to one student, by the mail server of the configuration.
--- Whatever becomes of it, no grading waits for a mail. README.md has the rules.
local address = require "submitter.mail.address"
local fields = require "submitter.mail.fields"
local host = require "submitter.host"
local letter = require "submitter.mail.letter"
local message = require "submitter.mail.message"
local reports = require "submitter.mail.reports"
local retry = require "submitter.retry"
local schema = require "submitter.schema"
local sql = require "submitter.database.statements.mail"

local mailer = {}

local MINUTE_MS = 60 * 1000
-- For how long a mail is a mailer's: longer than it can take with it. Who doesn't come back loses it to another.
local LEASE_MS, WORK_MS = 15 * MINUTE_MS, 14 * MINUTE_MS
-- The first delay of a mail that can't be sent now; it doubles. And when it is given up.
local DELAY_FIRST_MS, DELAY_LONGEST_MS, GIVEN_UP_MS = MINUTE_MS, 60 * MINUTE_MS, 3 * 24 * 60 * MINUTE_MS
-- Of a server that takes mails and never says so, nobody is to be sent more than these.
local MOST_UNCERTAIN = 3
-- Between two looks into the outbox; and while the mail server, the bucket or the database is away.
local IDLE_MS, PAUSE_FIRST_MS, PAUSE_LONGEST_MS = 10 * 1000, 10 * 1000, 5 * MINUTE_MS
-- What a mail under way is given when the worker ends.
local LAST_MS = 5000
local JITTER = 0.1
local PROBLEM_BYTES = 500
local SAFE = { safe = true }

---@class Mailer
local Mailer = {}
Mailer.__index = Mailer

-- For the database alone: the server's own words may repeat an address, so they are never logged.
local function problem_text(problem, details)
  local said = details and details.text
  local text = said and ("%s (%s)"):format(problem, said) or problem
  text = host.text.repair((text:gsub("%c", " ")))
  return #text <= PROBLEM_BYTES and text or host.text.repair(text:sub(1, PROBLEM_BYTES))
end

local function log_fields(row, reason, class)
  return { mail = row.id, subid = row.subid, mode = row.mode, tries = row.tries, reason = reason, class = class,
    assignment = ("%s/%s/%s"):format(row.administrator, row.event, row.assignment) }
end

-- ---- the mail server ----

local function open_session(smtp, settings)
  return smtp.open { url = settings.url, user = settings.user, password = settings.password, tls = settings.tls,
    ca_file = settings.ca_file }
end

local function close_session(self)
  local session = self.session
  self.session = nil
  if session then session:close() end
end

-- What was kept too long, or has had its number of mails, is no server that is away.
local function is_worn_out(code, details)
  return details and details.reused and not details.handed_over
    and (code == "cut" or code == "deferred" and (details.status == 421 or details.stage == "sender"))
end

---@async
local function deliver(self, row, mail)
  local envelope = { from = self.settings.from, to = row.email, mail = mail }
  for _ = 1, 2 do
    self.session = self.session or open_session(self.smtp, self.settings)
    local sent, problem, code, details = self.session:send(envelope)
    if sent or not is_worn_out(code, details) then return sent, problem, code, details end
    close_session(self)
  end
  self.session = open_session(self.smtp, self.settings)
  return self.session:send(envelope)
end

-- What a failure to send says: of this mail ("refused", "deferred", "uncertain"), or of the server ("away"). Who has taken
-- other mails denies relaying for this recipient alone; who took none yet may want a login for any.
local function judge(self, code, details)
  if code == "refused" then return "refused" end
  if code == "auth" and self.has_sent and details.stage == "recipient" then return "deferred" end
  if details and details.handed_over then return "uncertain" end
  if code == "deferred" and details.stage ~= "sender" and details.status ~= 421 then return "deferred" end
  return "away"
end

-- ---- one mail ----

local function finish(self, row, outcome, problem)
  local done, reason, code = self.database:query(sql.end_mail,
    { row.id, row.tries, outcome, problem or "" }, SAFE)
  if not done then return nil, reason, code end
  self.counts[outcome] = self.counts[outcome] + 1
  return true
end

local function refuse(self, row, problem, class, details)
  host.log.warn("mail_refused", log_fields(row, problem, class))
  return finish(self, row, "refused", problem_text(problem, details))
end

-- Later, unless it has been tried for long enough.
local function put_off(self, row, problem, class, details, is_uncertain)
  if row.age_ms >= GIVEN_UP_MS then
    return refuse(self, row, "given up after three days: " .. problem, class, details)
  end
  local later_ms = retry.delay_ms(row.tries - 1, DELAY_FIRST_MS, self.random, DELAY_LONGEST_MS)
  local fields_ = log_fields(row, problem, class)
  fields_.delay_ms = later_ms
  host.log.info("mail_deferred", fields_)
  local done, reason, code = self.database:query(sql.put_mail_off,
    { row.id, row.tries, later_ms, problem_text(problem, details), is_uncertain or false }, SAFE)
  if not done then return nil, reason, code end
  self.counts.deferred = self.counts.deferred + 1
  return true
end

-- It was sent, and that must be kept in mind until the database has it: else it would be sent once more.
local function note_sent(self, row)
  host.log.info("mail_sent", log_fields(row))
  self.sent[row.id], self.has_sent = true, true
  local done, reason, code = finish(self, row, "sent")
  if not done then return nil, reason, code end
  self.sent[row.id] = nil
  return true
end

-- The same for the same mail, so that one that was sent twice can be told.
local function identity(row)
  return host.digest.sha256(("%d %d %s %s"):format(row.id, row.created_at, row.subid, row.mode)):sub(1, 40)
end

local function compose(self, row, report)
  local settings, note = self.settings, nil
  local name = report.result.assignment .. ".csv"
  if report.csv then
    note = "The table of all cases is attached: " .. name
  elseif report.csv_is_too_large then
    note = "The table of all cases is too large for a mail; it is where your submission is."
  end
  return message.build {
    id = identity(row), from = { address = settings.from, name = settings.name },
    to = { address = row.email, name = row.name }, reply_to = settings.reply_to,
    subject = letter.subject(report.result), date_ms = host.clock.now_ms(), text = letter.text(report.result, note),
    attachment = report.csv and { name = name, data = report.csv } or nil,
  }
end

-- Of a team each gets the same, so what was read last is kept for as long as one look into the outbox takes.
---@async
local function read_report(self, row)
  local name = ("%s/%s/%s/%s/%s/%d/%d"):format(row.administrator, row.event, row.assignment, row.subid, row.mode,
    row.attempt, row.run)
  if self.last and self.last.name == name then return self.last.report end
  local limit_bytes = self.settings.attachment_limit_bytes
  local report, problem, code = reports.read(self.store, row, limit_bytes)
  if report then self.last = { name = name, report = report } end
  return report, problem, code
end

-- Is it about what the mail is about? Something newer has a mail of its own, once it is recorded, unless it says the same.
local function is_older(report, row)
  return report.attempt < row.attempt or report.attempt == row.attempt and report.run < row.run
end

local function is_newer(report, row)
  return report.attempt > row.attempt or report.run > row.run
end

local function note_trouble(self, event, problem, class)
  if self.trouble == event then return end
  self.trouble = event
  host.log.error(event, { reason = problem, class = class,
    hint = "mails wait in the database; no grading waits for them" })
end

local function note_well(self, event)
  if self.trouble ~= event then return end
  if event == "mail_server_away" then host.log.info("mail_server_back", {}) end
  self.trouble, self.pause_ms = nil, nil
end

---@async
local function send(self, row, report)
  local made, mail = xpcall(compose, debug.traceback, self, row, report)
  if not made then
    -- A report that is none, say. The others needn't wait for it.
    host.log.error("mail_error", { mail = row.id, traceback = mail })
    return put_off(self, row, "no mail can be made of the report", "internal")
  end
  local sent, problem, code, details = deliver(self, row, mail)
  local verdict = sent and "sent" or judge(self, code, details)
  if verdict ~= "away" and verdict ~= "uncertain" then note_well(self, "mail_server_away") end
  if verdict == "sent" then return note_sent(self, row) end
  if verdict == "refused" then return refuse(self, row, problem, code, details) end
  if verdict == "uncertain" and row.uncertain + 1 >= MOST_UNCERTAIN then
    return refuse(self, row, "the mail server never said whether it took it, so it may have arrived: " .. problem, code,
      details)
  end
  local done, reason, class = put_off(self, row, problem, code, details, verdict == "uncertain")
  if not done then return nil, reason, class end
  if verdict == "deferred" then return true end
  close_session(self)
  note_trouble(self, "mail_server_away", problem, code)
  return nil, problem, code
end

---@async
local function attend(self, row)
  if self.sent[row.id] then return note_sent(self, row) end
  if row.has_newer then return finish(self, row, "superseded") end
  local flaw = address.problem(row.email)
  if flaw then return refuse(self, row, "the student's address can't be used: " .. flaw, "address") end
  local report, problem, code = read_report(self, row)
  if report == false then
    note_well(self, "mail_reports_unavailable")
    return refuse(self, row, "nothing of the result is published for students", "not_found")
  end
  if not report then
    local done, reason, class = put_off(self, row, problem, code)
    if not done then return nil, reason, class end
    if code == "invalid" then return true end
    note_trouble(self, "mail_reports_unavailable", problem, code)
    return nil, problem, code
  end
  note_well(self, "mail_reports_unavailable")
  if is_older(report, row) or is_newer(report, row) and row.tries == 1 then
    return put_off(self, row, "the report in the bucket is of another run than the mail", "conflict")
  end
  return send(self, row, report)
end

-- ---- the outbox ----

---@async
local function claim(self)
  local found, problem, code = self.database:query(sql.claim_mail, { LEASE_MS })
  if not found then
    note_trouble(self, "mail_outbox_unavailable", problem, code)
    return nil, problem, code
  end
  note_well(self, "mail_outbox_unavailable")
  return found.rows[1] or false
end

-- Whatever goes wrong, or when the worker ends in the middle of it, the mail needn't wait for the end of its lease.
---@async
local function attend_safely(self, row)
  local returned, done, problem, code = xpcall(attend, debug.traceback, self, row)
  if returned then return done, problem, code end
  pcall(put_off, self, row, "the worker ended, or failed, while it was at it", "internal")
  error(done, 0)
end

---@async
local function empty(self)
  while not self.stopping do
    local row, problem, code = claim(self)
    if row == false then return true end
    if not row then return nil, problem, code end
    local done
    done, problem, code = host.task.within(WORK_MS, attend_safely, self, row)
    if not done then return nil, problem, code end
  end
  return true
end

--- Sends what is due, one after the other, until nothing is or the server, the bucket or the database is away.
---@async
---@return {sent:integer, superseded:integer, refused:integer, deferred:integer}|nil counts
---@return string|nil message why it couldn't go on
---@return string|nil code
function Mailer:run_once()
  if self.is_running then error("mailer:run_once: it is running already, in another task or in mailer:loop()", 2) end
  self.is_running = true
  self.counts = { sent = 0, superseded = 0, refused = 0, deferred = 0 }
  local returned, done, problem, code = pcall(empty, self)
  self.is_running, self.last = false, nil
  pcall(close_session, self)
  if not returned then error(done, 0) end
  if not done then return nil, problem, code end
  return self.counts
end

local function pause(self)
  local longest_ms = self.trouble and (self.pause_ms or PAUSE_FIRST_MS) or IDLE_MS
  self.pause_ms = self.trouble and math.min(longest_ms * 2, PAUSE_LONGEST_MS) or nil
  self.changed:wait(longest_ms + math.floor(longest_ms * JITTER * self.random()))
end

--- Sends what comes, until `stop`. Errors of a single round are logged, never thrown.
---@async
function Mailer:loop()
  self.task = host.task.current()
  self.is_over = host.task.event()
  while not self.stopping do
    self.changed:clear()
    local returned, problem = xpcall(self.run_once, debug.traceback, self)
    if not returned and not self.stopping then
      host.log.error("mail_error", { traceback = problem })
      self.trouble = "mail_error"
    else
      note_well(self, "mail_error")
    end
    if not self.stopping then pcall(pause, self) end
  end
  self.task = nil
  self.is_over:set()
end

--- Something may be due: the loop looks at once, unless it waits for a server that is away.
function Mailer:wake()
  if not self.trouble then self.changed:set() end
end

--- Ends the loop, and waits for that: what is being sent has five seconds left; after that another try has it.
---@async
function Mailer:stop()
  self.stopping = true
  self.changed:set()
  if not self.task then return end
  if not self.is_over:wait(LAST_MS) then
    self.task:cancel("the worker stops")
    self.is_over:wait(LAST_MS)
  end
end

--- For `submitter status`: what keeps mails from going out, or nil.
---@return string|nil event "mail_server_away", "mail_reports_unavailable", "mail_outbox_unavailable", "mail_error"
function Mailer:problem()
  return self.trouble
end

local names = { database = true, store = true, settings = true, smtp = true, random = true }
local form = "mailer.new { database = POOL, store = STORE, settings = configuration.mail }"

--- A mailer over the opened parts of a configuration.
---@param options {database:table, store:table, settings:table, smtp:table|nil, random:(fun():number)|nil} settings: of
--- configuration.mail; smtp and random stand in for host.smtp and chance
---@return Mailer|nil
---@return string|nil message
---@return "environment"|nil code the settings contradict each other
function mailer.new(options)
  schema.check_options(options, names, form)
  if type(options) ~= "table" or not options.database or not options.store or not options.settings then
    error("expected " .. form, 2)
  end
  local good, problem, code = fields.check(options.settings)
  if not good then return nil, problem, code end
  return setmetatable({
    database = options.database, store = options.store, settings = options.settings,
    smtp = options.smtp or host.smtp, random = options.random or math.random, changed = host.task.event(), sent = {},
    stopping = false,
  }, Mailer)
end

--- Connects to the mail server and logs in, for `submitter doctor`; sends nothing.
---@async
---@param settings table of configuration.mail
---@param smtp table|nil in the place of host.smtp
---@return true|nil
---@return string|nil message
---@return string|nil code
function mailer.check(settings, smtp)
  local good, problem, code = fields.check(settings)
  if not good then return nil, problem, code end
  local session = open_session(smtp or host.smtp, settings)
  good, problem, code = session:check()
  session:close()
  if not good then return nil, problem, code end
  return true
end

return mailer
