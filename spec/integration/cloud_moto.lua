--- The same end to end with moto_server, where it is on the machine: S3 and SQS as other people understood them, and a bucket
--- that sends its own events into the queue.
---
---     build/submitter run spec/integration/cloud_moto.lua [SUBMISSIONS]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local cloud = require "spec.integration.cloud_support"
local support = require "spec.integration.support"
local host = require "submitter.host"

local must = support.must
local count = tonumber(arg[1] or "24")

-- The program, however it is installed: what is on the path may be a shell script that only finds it with this environment.
local function find_moto()
  local found = must(host.child.run { program = "/bin/sh", arguments = { "-c",
    'p=$(command -v moto_server) || exit 1; q=$(command -v pyenv >/dev/null && pyenv which moto_server 2>/dev/null); '
    .. 'echo "${q:-$p}"' }, environment = { PATH = os.getenv "PATH" or "", HOME = os.getenv "HOME" or "/" } })
  return found.exit_code == 0 and found.stdout:match "^[^\n]+" or nil
end

local program = find_moto()
if not program then
  print "ok 1 - moto # SKIP moto_server isn't on this machine"
  print "1..1"
  os.exit(0)
end
local deployment = cloud.open("cloud-moto", nil, { "moto.mjs", program })
local handed = deployment:hand_in(count, { cases = 2, quick = true, event = "été 2027 + 50% (a&b)" })
local log, ended = support.wait_worker(deployment:start_worker())
support.check(ended.exit_code == 0, "moto: the worker exits 0", log:sub(-2000))
deployment:check_published(handed, "moto", cloud.has_verdict)
local refused = deployment:count "status 400" + deployment:count "status 403"
support.check(refused == 0, "moto: no call was refused", log:sub(-2000))
deployment:check_left(0, "moto")
deployment:close()
support.finish()
