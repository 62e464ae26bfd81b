--- What signing one request costs, the binding included: the goal is under 30 µs.
---
---     build/submitter run spec/bench/signing.lua [ROUNDS]
---
--- Signed are a PUT to S3 with temporary credentials and a body of 1 KiB, and a call of SQS; each a thousand times a round. Shown
--- are the medians of the rounds and the quartiles. "Without a handle" makes the signing key anew for each request.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local figures = require "spec.bench.figures"

local rounds = tonumber(arg[1] or "30")
local REQUESTS, GOAL_US = 1000, 30
local TIME_S = 1440938160

local account = { access_key_id = "ASIAIOSFODNN7EXAMPLE",
  secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  session_token = ("FwoGZXIvYXdzEXAMPLE"):rep(30) }
local keys = host.sigv4.credentials(account)

local function put_object(index)
  return { credentials = keys, method = "PUT", body = ("x"):rep(1024), region = "eu-central-1", service = "s3",
    time = TIME_S,
    url = ("https://submissions.s3.eu-central-1.amazonaws.com/admin/event/assignment/%032x/result.json"):format(index),
    headers = { { "Content-Type", "application/json" }, { "Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==" },
      { "If-None-Match", "*" }, { "x-amz-sdk-checksum-algorithm", "CRC32" }, { "x-amz-checksum-crc32", "AAAAAA==" } } }
end

local function receive_message()
  return { credentials = keys, method = "POST", url = "https://sqs.eu-central-1.amazonaws.com/",
    region = "eu-central-1",
    service = "sqs", time = TIME_S,
      body = '{"MaxNumberOfMessages":10,"QueueUrl":"https://sqs.eu-central-1.amazonaws.com/1/q"}',
    headers = { { "Content-Type", "application/x-amz-json-1.0" }, { "X-Amz-Target", "AmazonSQS.ReceiveMessage" } } }
end

local function without_handle(index)
  local request = put_object(index)
  request.credentials = nil
  for name, value in pairs(account) do request[name] = value end
  return request
end

local function cost_us(request)
  return figures.elapsed_ms(function()
    for index = 1, REQUESTS do host.sigv4.sign(request(index)) end
  end) * 1000 / REQUESTS
end

local ways = { { "S3, PutObject", put_object }, { "SQS, ReceiveMessage", receive_message },
  { "S3, without a handle", without_handle } }
local measured = {}
for _, way in ipairs(ways) do measured[way[1]] = {} end
for _ = 1, rounds do
  for _, way in ipairs(ways) do table.insert(measured[way[1]], cost_us(way[2])) end
end

print(("signing a request, %d rounds of %d"):format(rounds, REQUESTS))
for _, way in ipairs(ways) do print(("  %-22s %s"):format(way[1], figures.spread(measured[way[1]], "µs"))) end
local worst = math.max(figures.median(measured[ways[1][1]]), figures.median(measured[ways[2][1]]))
print(("  goal: under %d µs: %s"):format(GOAL_US, worst < GOAL_US and "reached" or "MISSED"))
figures.keep("signing.json", measured)
os.exit(worst < GOAL_US)
