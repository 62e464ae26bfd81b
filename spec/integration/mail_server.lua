--- A mail server of Debian's packages for integration scripts: Exim, below the build folder, on ports of 127.0.0.1 that are free,
--- with a certificate of its own and logins under TLS. It delivers into folders of the students that it knows.
---
---     local server = require("spec.integration.mail_server").start { students = { "ada" } }   -- ada@example.org
---     server.url, server.url_secure, server.ca_file                     -- smtp:// with STARTTLS, smtps://
---     server:mails "ada"                                                -- whole messages
---     server:stop(); server:resume(); server:close()
---
--- Who logs in is worker with the password secret; nobody else's mail is taken. later@example.org is always put off. Exim is
--- nobody's root here: root's is run by the package's user.
local host = require "submitter.host"

local mail_server = {}

local PROGRAM = "/usr/sbin/exim4"
local PATH = { PATH = "/usr/sbin:/usr/bin:/bin", LC_ALL = "C.UTF-8" }
-- The emulated machine is ten times slower.
local READY_TRIES = 300

local CONFIGURATION = [[
spool_directory = FOLDER/spool
log_file_path = FOLDER/log/%s
pid_file_path = FOLDER/pid
exim_user = USER
exim_group = GROUP
deliver_drop_privilege = true
keep_environment =
primary_hostname = mail.example.org
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT : SECURE
tls_on_connect_ports = SECURE
tls_advertise_hosts = *
tls_certificate = FOLDER/server.pem
rfc1413_query_timeout = 0s
host_lookup =
message_size_limit = 8M
smtp_accept_queue_per_connection = 0
acl_smtp_rcpt = recipients

begin acl
recipients:
  deny !authenticated = *
       message = Relay not permitted
  defer local_parts = later
        message = try again
  accept domains = example.org
         local_parts = lsearch;FOLDER/students
  deny message = nobody of that name

begin routers
everybody:
  driver = accept
  local_parts = lsearch;FOLDER/students
  transport = folder

begin transports
folder:
  driver = appendfile
  directory = FOLDER/mail/$local_part_data
  maildir_format
  create_directory

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_advertise_condition = ${if def:tls_in_cipher}
  server_condition = ${if and{{eq{$auth2}{worker}}{eq{$auth3}{secret}}}}
  server_set_id = $auth2
]]

---@async
local function run(program, arguments)
  local ended = assert(host.child.run { program = program, arguments = arguments, environment = PATH })
  assert(ended.exit_code == 0, program .. ": " .. ended.stderr)
  return (ended.stdout:gsub("\n$", ""))
end

---@class MailServer
---@field url string smtp://, with STARTTLS
---@field url_secure string smtps://
---@field ca_file string
---@field port integer
local MailServer = {}
MailServer.__index = MailServer

-- Two numbers that are free now; the server can't be told to take whichever are.
---@async
local function free_ports()
  local said = run("/usr/bin/python3", { "-I", "-c", "import socket; servers = [socket.create_server(('127.0.0.1', 0)) "
    .. "for _ in '12']; print(*(one.getsockname()[1] for one in servers))" })
  local first, second = said:match "^(%d+) (%d+)$"
  return tonumber(first), tonumber(second)
end

local function is_root()
  return host.system.user_id() == 0
end

-- Made here, for as long as the script runs.
---@async
local function make_certificate(folder)
  run("/usr/bin/openssl", { "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-days", "2", "-subj", "/CN=mail.example.org", "-addext", "subjectAltName=IP:127.0.0.1",
    "-keyout", folder .. "/key.pem", "-out", folder .. "/ca.pem" })
  local directory <close> = assert(host.file.directory(folder))
  local both = assert(directory:read "key.pem") .. assert(directory:read "ca.pem")
  assert(directory:write("server.pem", both, { mode = tonumber("600", 8) }))
end

-- Not root's: Exim delivers nothing as root, and changes to other users only where it is root's.
---@async
local function owner()
  if is_root() then
    return run("/usr/bin/id", { "-u", "Debian-exim" }), run("/usr/bin/id", { "-g", "Debian-exim" })
  end
  return run("/usr/bin/id", { "-u" }), run("/usr/bin/id", { "-g" })
end

---@async
local function reaches(user, path)
  if not is_root() then return true end
  local ended = host.child.run { program = "/usr/bin/setpriv", environment = PATH,
    arguments = { "--reuid=" .. user, "--clear-groups", "--regid=" .. user, "/usr/bin/test", "-x", path } }
  return ended and ended.exit_code == 0
end

-- That user may not come to our folders: then one in TMPDIR has to do.
---@async
local function make_folder(user)
  local name = "exim-" .. host.digest.random(4)
  local root = assert(host.file.directory(host.system.executable():match "^(.*)/"))
  if not reaches(user, root:path()) then root = assert(host.file.directory(os.getenv "TMPDIR" or "/tmp")) end
  assert(root:make(name, { mode = tonumber("755", 8) }))
  return root:path() .. "/" .. name, root, name
end

--- Starts it again after stop, and waits until it answers.
---@async
function MailServer:resume()
  local words = { PROGRAM, "-C", self.folder .. "/exim.conf", "-bdf" }
  if is_root() then
    words = { "/usr/bin/setpriv", "--reuid=" .. self.user, "--regid=" .. self.group, "--clear-groups",
      table.unpack(words) }
  end
  self.child = assert(host.child.start {
    program = words[1], arguments = { table.unpack(words, 2) }, environment = PATH, stdin = "null",
    -- It complains there when it isn't root's; what is wrong stands in its logs.
    stdout = "inherit", stderr = "null",
  })
  local session <close> = host.smtp.open { url = self.url, ca_file = self.ca_file, connect_timeout_ms = 2000 }
  for _ = 1, READY_TRIES do
    if session:check() then return end
    host.clock.sleep_ms(100)
  end
  error("Exim doesn't answer:\n" .. self:log(), 2)
end

--- Ends it: whoever connects is refused. Mails that it took stay.
---@async
function MailServer:stop()
  if not self.child then return end
  self.child:kill "TERM"
  self.child:wait()
  self.child:close()
  self.child = nil
end

--- What it wrote down.
---@async
---@return string
function MailServer:log()
  local directory <close> = assert(host.file.directory(self.folder))
  return (directory:read "log/main" or "") .. (directory:read "log/panic" or "")
end

--- The messages that were delivered to a student, whole.
---@async
---@param student string
---@return string[]
function MailServer:mails(student)
  local directory <close> = assert(host.file.directory(self.folder))
  local found = {}
  for _, entry in ipairs(directory:list("mail/" .. student .. "/new") or {}) do
    found[#found + 1] = assert(directory:read(("mail/%s/new/%s"):format(student, entry.name)))
  end
  return found
end

--- Ends it and removes all that it had.
---@async
function MailServer:close()
  self:stop()
  assert(self.root:remove_tree(self.name))
  self.root:close()
end

--- Starts one.
---@async
---@param options {students:string[]} who has a folder, by what stands before the @
---@return MailServer
function mail_server.start(options)
  local self = setmetatable({}, MailServer)
  self.user, self.group = owner()
  self.folder, self.root, self.name = make_folder(self.user)
  self.port, self.secure_port = free_ports()
  self.url = "smtp://127.0.0.1:" .. self.port
  self.url_secure = "smtps://127.0.0.1:" .. self.secure_port
  self.ca_file = self.folder .. "/ca.pem"
  local values = { FOLDER = self.folder, USER = self.user, GROUP = self.group, PORT = tostring(self.port),
    SECURE = tostring(self.secure_port) }
  local students = {}
  for index, name in ipairs(options.students) do students[index] = ("%s: %s\n"):format(name, name) end
  do
    local directory <close> = assert(host.file.directory(self.folder))
    for _, name in ipairs { "spool", "log", "mail" } do assert(directory:make(name, { mode = tonumber("750", 8) })) end
    assert(directory:write("students", table.concat(students)))
    make_certificate(self.folder)
    if is_root() then run("/bin/chown", { "-R", self.user .. ":" .. self.group, self.folder }) end
    -- Exim trusts a configuration that is its user's or root's, and that nobody else may write.
    assert(directory:write("exim.conf", (CONFIGURATION:gsub("%f[%u]%u+%f[%U]", values)), { mode = tonumber("644", 8) }))
  end
  self:resume()
  return self
end

return mail_server
