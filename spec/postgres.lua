--- A PostgreSQL server of Debian's packages for specs and integration scripts, below the build folder, on a socket there.
---
---     local server = require("spec.postgres").shared()       -- one a spec file, or a script; ends with it
---     local url = server:migrated()                          -- a database of one's own, with the tables of docker/postgres
---     server:sql(url, "SELECT count(*) FROM submitter.cases")  --> "0"
---     server:kill(); server:resume()                         -- as by kill -9 or a power cut; and back, on the same socket
---
--- It has no password and listens on its socket alone; `start { tcp = true }` also on 127.0.0.1 (server.port), where passwords
--- count. It refuses to be root's, so root's is run by the package's user `postgres`. Its life hangs on a pipe of this
--- process: whatever ends this one ends it.
local host = require "submitter.host"

local postgres = {}

local PATH = { PATH = "/usr/bin:/bin", LC_ALL = "C.UTF-8" }
-- A socket's path has 107 bytes at most; PostgreSQL adds a name of its own.
local SOCKET_FOLDER_BYTES = 85
-- The emulated machine is ten times slower.
local READY_TRIES = 600

local function must(value, message)
  if not value then error(message, 3) end
  return value
end

---@async
local function run(arguments, input)
  local program = table.remove(arguments, 1)
  local ended = must(host.child.run { program = program, arguments = arguments, environment = PATH, input = input or "",
    limit_bytes = 64 << 20 })
  local said = ended.stderr ~= "" and ended.stderr or ended.stdout
  return ended.exit_code == 0 and ended.stdout, ("%s: %s"):format(program, said)
end

-- Takes "init", "start", "stop", "kill" from its standard input, answers a line to each; at the end of its input it stops the
-- server and removes the folder, which it has made. In the background of a shell that only waits, because this process kills its
-- children when it ends; in a session of its own, because a terminal and `timeout` send their signals to whole groups.
local KEEPER = [[
folder=$1; init=$2; shift 2
keep() {
  trap '' PIPE # nobody may be left to be answered, and the rest is to be done all the same
  mkdir -m 755 "$folder" || return
  stop() { if [ -n "$pid" ]; then kill -"$1" "$pid" 2>/dev/null; wait "$pid"; fi; pid=; }
  while read -r command; do
    case $command in
      init) eval "$init" >>"$folder/log" 2>&1 </dev/null || command="failed: $(tail -n 3 "$folder/log" | tr '\n' ' ')"
        ;;
      start) "$@" >>"$folder/log" 2>&1 </dev/null & pid=$! ;;
      stop) stop INT ;;
      kill) stop QUIT ;;
    esac
    echo "$command" 2>/dev/null
  done
  stop INT
  rm -rf "$folder"
}
exec 3<&0
keep "$@" <&3 3<&- &
exec 3<&-
wait
]]

--- The newest server that is installed: the folder of its programs.
local function programs()
  local root = host.file.directory "/usr/lib/postgresql"
  local newest
  for _, entry in ipairs(root and root:list "." or {}) do
    local number = tonumber(entry.name)
    if number and (not newest or number > newest) then newest = number end
  end
  if not newest then error("no PostgreSQL server is installed: apt-get install postgresql", 0) end
  return ("/usr/lib/postgresql/%d/bin"):format(newest)
end

local function words_of(...)
  local words = {}
  for _, list in ipairs { ... } do table.move(list, 1, #list, #words + 1, words) end
  return words
end

-- Words before a command that make it the package's user's, where this is root.
local function as_user()
  if host.system.user_id() ~= 0 then return {} end
  return { "/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups" }
end

-- That user perhaps can't reach our folders, or their names say something else in a conninfo: then one in TMPDIR has to do.
---@async
local function find_place(name)
  local build = host.system.executable():match "^(.*)/"
  local root = must(host.file.directory(build))
  local reaches = run(words_of({ "/usr/bin/env" }, as_user(), { "test", "-x", root:path() }))
  if not reaches or #root:path() + #name > SOCKET_FOLDER_BYTES or root:path():find "[^%w/._-]" then
    root = must(host.file.directory(os.getenv "TMPDIR" or "/tmp"))
  end
  return root:path() .. "/" .. name
end

-- Words as a shell reads them back.
local function quoted(words)
  local list = {}
  for index, word in ipairs(words) do list[index] = "'" .. word:gsub("'", "'\\''") .. "'" end
  return table.concat(list, " ")
end

-- What makes a cluster in the folder, for a shell.
local function init_script(bin, folder)
  local script = quoted(words_of({ "/usr/bin/env", "-C", folder }, as_user(), {
    bin .. "/initdb", "--no-sync", "-D", folder .. "/data", "-U", "postgres", "-A", "trust",
    "--auth-host=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8",
  }))
  if host.system.user_id() ~= 0 then return script end
  return quoted { "/bin/chown", "postgres:postgres", folder } .. " && " .. script
end

---@class PostgresServer
---@field url string a conninfo: the superuser, on the socket
---@field folder string where its data, its socket and its log are
---@field port integer|nil on 127.0.0.1, where one was asked for
local Server = {}
Server.__index = Server

---@async
function Server:tell(command)
  must(self.keeper:write(command .. "\n"))
  local answer = must(self.keeper:read "stdout")
  if answer ~= command .. "\n" then error(("the server's keeper said %q to %s"):format(answer, command), 2) end
end

-- Not answering yet, or refusing while it recovers.
---@async
function Server:await()
  for _ = 1, READY_TRIES do
    if run { self.bin .. "/pg_isready", "-q", "-h", self.folder, "-p", self.socket_port } then return end
    host.clock.sleep_ms(100)
  end
  error("PostgreSQL doesn't answer:\n" .. tostring(must(host.file.directory(self.folder)):read "log"), 2)
end

--- Starts it again after kill or stop, and waits until it answers.
---@async
function Server:resume()
  self:tell "start"
  self:await()
end

--- Ends it at once: what was under way is lost, as by a power cut.
---@async
function Server:kill()
  self:tell "kill"
end

--- Ends it in order; statements under way are cancelled.
---@async
function Server:stop()
  self:tell "stop"
end

--- A conninfo for a database of this server.
---@param name string
---@param user string|nil default the superuser
---@return string
function Server:url_of(name, user)
  return ("host=%s port=%s dbname=%s user=%s"):format(self.folder, self.socket_port, name, user or "postgres")
end

--- Runs SQL by psql.
---@async
---@param url string
---@param text string one or more statements
---@return string output unaligned, columns separated by |, without headers and the last line end
function Server.sql(_, url, text)
  local output, message = run({
    "/usr/bin/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-",
  }, text)
  if not output then error(message, 2) end
  return (output:gsub("\n$", ""))
end

---@async
function Server:create(template)
  self.count = self.count + 1
  local name = ("spec_%d"):format(self.count)
  self:sql(self.url, ("CREATE DATABASE %s TEMPLATE %s"):format(name, template))
  return self:url_of(name)
end

--- A fresh, empty database.
---@async
---@return string url
function Server:database()
  return self:create "template0"
end

--- A fresh database with the tables of docker/postgres, made as an operator makes them.
---@async
---@return string url
function Server:migrated()
  if not self.has_template then
    self:sql(self.url, "CREATE DATABASE migrated TEMPLATE template0")
    local ended = must(host.child.run {
      program = host.system.executable(), arguments = { "database", "migrate" },
      environment = { PATH = "/usr/bin:/bin", SUBMITTER_DATABASE_URL = self:url_of "migrated" },
    })
    if ended.exit_code ~= 0 then error("submitter database migrate: " .. ended.stderr .. ended.stdout, 2) end
    self.has_template = true
  end
  return self:create "migrated"
end

--- Ends it and removes all that it had. Without this it happens when this process ends.
---@async
function Server:close()
  if not self.keeper then return end
  self.keeper:close_input()
  self.keeper:wait()
  self.keeper = nil
end

-- What every server here has: small, and quick rather than safe from power cuts.
local function settings_of(options)
  return words_of({
    "fsync=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60", "log_min_messages=warning",
    "autovacuum=off", "logging_collector=off",
  }, options.settings or {})
end

-- A number that is free now; the server can't be told to take whichever is.
---@async
local function free_port()
  return tonumber((must(run { "/usr/bin/python3", "-I", "-c",
    "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])" })))
end

-- libpq takes them where a conninfo says nothing else, PGHOSTADDR and PGSERVICE even so.
local function check_environment()
  local file <close> = assert(io.open("/proc/self/environ", "rb"))
  for name in ("\0" .. file:read "a"):gmatch "%z(PG%u+)=" do
    error(name .. " is set, and would count in place of the server of these specs: unset it, or let make run them", 0)
  end
end

--- Starts a server of one's own.
---@async
---@param options {tcp:boolean|nil, settings:string[]|nil, files:table<string, string>|nil}|nil tcp: also on 127.0.0.1, by
--- password (SCRAM); settings: more of postgresql.conf, "name=value"; files: more files of the data folder by name, such as
--- server.crt and server.key for "ssl=on"
---@return PostgresServer
function postgres.start(options)
  options = options or {}
  check_environment()
  local name = "pg-" .. host.digest.random(4)
  local folder = find_place(name)
  local self = setmetatable({ folder = folder, bin = programs(), count = 0 }, Server)
  self.port = options.tcp and free_port() or nil
  self.socket_port = tostring(self.port or 5432)
  self.url = self:url_of "postgres"
  local data = folder .. "/data"
  local arguments = words_of({ "-c", KEEPER, "sh", folder, init_script(self.bin, folder) }, as_user(), {
    self.bin .. "/postgres", "-D", data, "-k", folder, "-p", self.socket_port,
    "-c", "listen_addresses=" .. (self.port and "127.0.0.1" or ""),
  })
  for _, setting in ipairs(settings_of(options)) do arguments = words_of(arguments, { "-c", setting }) end
  self.keeper = must(host.child.start { program = "/bin/sh", arguments = arguments, environment = PATH,
    stdin = "pipe", stdout = "pipe", stderr = "inherit", new_session = true })
  self:tell "init"
  for file, text in pairs(options.files or {}) do
    local write = { "/bin/sh", "-c", 'umask 077; cat >"$0"', data .. "/" .. file }
    must(run(words_of({ "/usr/bin/env" }, as_user(), write), text))
  end
  self:resume()
  return self
end

local shared

-- busted gives each spec file modules of its own, this one too: what a file has started would else last until the end of all.
local function end_with_file(server)
  local busted = package.loaded.busted
  if not busted then return end
  busted.subscribe({ "file", "end" }, function()
    server:close()
    return nil, true
  end)
end

--- The server that the specs of a file share, or all of a script. It ends with the file, or the script's process.
---@async
---@return PostgresServer
function postgres.shared()
  if not shared then
    shared = postgres.start()
    end_with_file(shared)
  end
  return shared
end

return postgres
