--- The same end to end with moto_server, where it is on the machine: S3 and SQS as other people understood them, and a bucket
--- that sends its own events into the queue.
---
---     build/submitter run spec/integration/cloud_moto.lua [SUBMISSIONS]
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local cloud = require "spec.integration.cloud_support"
local moto = require "spec.integration.moto"
local support = require "spec.integration.support"

local count = tonumber(arg[1] or "24")
local program = moto.find()
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
