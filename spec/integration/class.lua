--- The class that the README sets up from nothing: its very commands, in an empty folder, with a database server that has none.
---
---     build/submitter run spec/integration/class.lua
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local ability = require "spec.ability"
local host = require "submitter.host"
local postgres = require "spec.postgres"
local support = require "spec.integration.support"

local check, must = support.check, support.must

local build = host.system.executable():match "^(.*)/"
local parent = must(host.file.directory(build .. "/integration", { create = true }))
must(parent:remove_tree "class")
local folder = must(parent:open("class", { create = true }))
local readme = must(must(host.file.directory(root)):read "README.md")
local commands = must(readme:match "\n```sh\n(createdb.-)\n```\n", "the README has no class any more")

local reason = ability.reason_to_skip "rlimit"
if reason then
  print("ok 1 - the README's class # SKIP " .. reason)
  print "1..1"
  os.exit(0)
end
local accounting = ability.reason_to_skip "cgroup" and "rlimit" or "cgroup"
must(folder:write("submitter.lua", ("return { accounting = %q }\n"):format(accounting)))

local server = postgres.shared()
local ended = must(host.child.run {
  program = "/bin/sh", arguments = { "-e", "-c", commands }, directory = folder, limit_bytes = 1 << 20,
  environment = {
    PATH = build .. ":/usr/bin:/bin", PGHOST = server.folder, PGPORT = server.socket_port, PGUSER = "postgres",
    SUBMITTER_CONFIG = folder:path() .. "/submitter.lua",
  },
})
local last = ended.stdout:match "[^\n]*E%-?[Mm][Aa][Ii][Ll].*$" or ended.stdout
check(ended.exit_code == 0, "each command succeeds", ended.stdout .. ended.stderr)
check(last:find("ada@example.edu[^\n]*AC"), "the grade book has Ada's AC", last)
check(last:find("alan@example.edu", 1, true), "and Alan, who handed in nothing", last)
local url = server:url_of "grades"
check(server:sql(url, "SELECT count(*) FROM submitter.results") == "1", "one result is recorded",
  server:sql(url, "SELECT count(*) FROM submitter.results"))
server:close()
support.finish()
