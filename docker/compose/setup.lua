--- Makes what the configuration names and isn't there yet: the bucket, the queue, the queue for what is given up, and the
--- bucket's events into the queue. For a server of one's own; on AWS an administrator does this once.
---
---     submitter run setup.lua
local aws_client = require "submitter.aws.client"
local aws_session = require "submitter.aws.session"
local configuration = require "submitter.configuration"
local s3_address = require "submitter.aws.s3_address"
local s3_errors = require "submitter.aws.s3_errors"
local sqs = require "submitter.aws.sqs"
local host = require "submitter.host"

-- Above twice failure_limit, so that what is given up is so by the worker, with a reason.
local MAX_RECEIVES = "12"
-- What a server answers where it is there already.
local STANDS = { BucketAlreadyOwnedByYou = true, BucketAlreadyExists = true }

local function must(value, message)
  if value then return value end
  io.stderr:write("setup: ", message, "\n")
  os.exit(3)
end

local settings = must(configuration.load {})
must(settings.bucket.kind == "s3" and settings.queue.kind == "sqs", "set SUBMITTER_BUCKET and SUBMITTER_QUEUE_URL")
local session = aws_session.new { profile = settings.aws.profile, region = settings.aws.region }
local region = must(settings.bucket.region or session:region())
local s3 = aws_client.new { session = session, service = "s3", region = region, endpoint = settings.bucket.endpoint }

-- One request about the bucket itself; true, or nil, message, S3's code.
local function ask_bucket(operation, query, body)
  local endpoint = must(s3:find_endpoint())
  local url = must(s3_address.url(endpoint.url, settings.bucket.name, nil, query, settings.bucket.path_style))
  local answer, message, code = s3:call { operation = operation, method = "PUT", url = url, body = body,
    headers = { { "Content-Type", "application/xml" } }, read_error = s3_errors.read }
  return answer ~= nil or nil, message, code
end

local function make_bucket()
  -- The oldest region is the one that must not be named (S3's API reference, CreateBucket).
  local body = region ~= "us-east-1" and ("<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint>"
    .. "</CreateBucketConfiguration>"):format(region) or ""
  local made, message, code = ask_bucket("CreateBucket", nil, body)
  must(made or STANDS[code], message)
end

-- A queue that stands with other attributes is an error of SQS's, and told.
local function make_queue(url, attributes)
  local queue = must(sqs.open { session = session, url = url, region = settings.queue.region,
    endpoint = settings.queue.endpoint })
  must(queue:call("CreateQueue", { QueueName = queue.name, Attributes = attributes }))
end

-- Its ARN, by the account in its URL.
local function arn(url)
  return ("arn:aws:sqs:%s:%s:%s"):format(region, url:match "([^/]+)/([^/]+)$")
end

local function send_events(target)
  local body = ("<NotificationConfiguration><QueueConfiguration><Id>submitter</Id><Queue>%s</Queue>"
    .. "<Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>suffix</Name><Value>.json</Value>"
    .. "</FilterRule></S3Key></Filter></QueueConfiguration></NotificationConfiguration>"):format(target)
  must(ask_bucket("PutBucketNotificationConfiguration", "notification=", body))
end

local queue_url, dead_url = settings.queue.url, settings.queue.dead_letter_url
local attributes = host.json.ordered({}, {})
if dead_url then
  make_queue(dead_url)
  attributes = { RedrivePolicy = host.json.encode { deadLetterTargetArn = arn(dead_url),
    maxReceiveCount = MAX_RECEIVES } }
end
make_queue(queue_url, attributes)
make_bucket()
send_events(arn(queue_url))
print(("bucket %s and queue %s are there"):format(settings.bucket.name, queue_url:match "[^/]+$"))
