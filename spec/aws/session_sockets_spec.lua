-- Credentials over real sockets: host.http, host.sigv4 and a server that answers as the services do.
local aws_session = require "submitter.aws.session"
local host = require "submitter.host"
local support = require "spec.support"
local web = require "fake.web"

local function header(request, name)
  for _, pair in ipairs(request.headers) do
    if pair[1]:lower() == name then return pair[2] end
  end
end

local function later(seconds)
  return host.clock.utc(host.clock.now_ms() + seconds * 1000)
end

describe("a session over real sockets", function()
  local site

  before_each(function() site = web.start() end)

  after_each(function()
    site:close()
    support.clean()
  end)

  teardown(web.stop)

  local function session(environment, options)
    options = options or {}
    options.getenv = function(name) return environment[name] end
    return aws_session.new(options)
  end

  local function keys(token, expires)
    return host.json.encode {
      Code = "Success", AccessKeyId = "ASIAREAL", SecretAccessKey = "topsecret", Token = token, Expiration = expires,
    }
  end

  it("has an instance's, and its region", function()
    site:route("PUT /latest/api/token", { body = "AQAEtoken==" })
    site:route("GET /latest/meta-data/iam/security-credentials/", { body = "worker" })
    site:route("GET /latest/meta-data/iam/security-credentials/worker", { body = keys("toptoken", later(3600)) })
    site:route("GET /latest/meta-data/placement/region", { body = "eu-central-1" })
    local instance = session { AWS_EC2_METADATA_SERVICE_ENDPOINT = site:url "" }
    local snapshot = assert(instance:credentials())
    assert.are.equal("ASIAREAL", snapshot.access_key_id)
    assert.is_nil(tostring(snapshot.keys):find "top")
    assert.are.equal("eu-central-1", instance:region())
    local requests = site:requests()
    assert.are.equal("21600", header(requests[1], "x-aws-ec2-metadata-token-ttl-seconds"))
    for index = 2, 3 do
      assert.are.equal("AQAEtoken==", header(requests[index], "x-aws-ec2-metadata-token"))
    end
    local signed = assert(host.sigv4.sign {
      credentials = snapshot.keys, method = "GET", url = "https://s3.eu-central-1.amazonaws.com/", headers = {},
      region = "eu-central-1", service = "s3", time = host.clock.now_ms() // 1000,
    })
    assert.are.equal("toptoken", header(signed, "x-amz-security-token"))
  end)

  it("waits for an instance's no longer than a second", function()
    site:route("PUT /latest/api/token", { silent = true })
    local before_ms = host.clock.monotonic_ms()
    local _, message, code = session({ AWS_EC2_METADATA_SERVICE_ENDPOINT = site:url "" }):credentials()
    assert.are.equal("unavailable", code)
    assert.matches("no metadata service answers", message)
    local took_ms = host.clock.monotonic_ms() - before_ms
    assert.is_true(took_ms >= 900 and took_ms < 8000, took_ms .. " ms")
  end)

  it("has a container's, by the token in the file", function()
    local directory = support.directory()
    directory:write("token", "Bearer one")
    site:route("GET /credentials?a=1", { { status = 503 }, { body = keys("toptoken", later(3600)) } })
    local container = session({
      AWS_CONTAINER_CREDENTIALS_FULL_URI = site:url "/credentials?a=1",
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = directory:path() .. "/token",
    }, { sleep_ms = function() end })
    assert.are.equal("container", assert(container:credentials()).source)
    assert.are.equal("Bearer one", header(site:requests()[2], "authorization"))
  end)

  it("has those of a role, by a request that is signed for STS", function()
    local directory = support.directory()
    directory:write("config", "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/worker\nsource_profile = b\n"
      .. "role_session_name = grading\n[profile b]\naws_access_key_id = AKIAB\naws_secret_access_key = topsecret\n"
      .. "aws_session_token = toptoken")
    site:route("POST /", { body = ([[<AssumeRoleResponse><AssumeRoleResult><Credentials>
      <AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
      <Expiration>%s</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>]]):format(later(3600)) })
    local role = session({
      AWS_CONFIG_FILE = directory:path() .. "/config", AWS_SHARED_CREDENTIALS_FILE = directory:path() .. "/none",
      AWS_ENDPOINT_URL_STS = site:url "", AWS_REGION = "eu-west-1",
    }, { profile = "a" })
    local snapshot = assert(role:credentials())
    assert.are.equal("ASIAROLE", snapshot.access_key_id)
    local request = site:requests()[1]
    assert.are.equal("Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fworker"
      .. "&RoleSessionName=grading", request.body)
    assert.matches("^AWS4%-HMAC%-SHA256 Credential=AKIAB/%d+/eu%-west%-1/sts/aws4_request, SignedHeaders=.*, "
      .. "Signature=%x+$", header(request, "authorization"))
    assert.are.equal("toptoken", header(request, "x-amz-security-token"))
    assert.are.equal("application/x-www-form-urlencoded; charset=utf-8", header(request, "content-type"))
  end)

  it("has those by a web identity, by a request that nobody signs", function()
    local directory = support.directory()
    directory:write("token", "jwt.topsecret")
    site:route("POST /", { {
      status = 400, body = "<ErrorResponse><Error><Code>IDPCommunicationError</Code></Error></ErrorResponse>",
    }, {
      body = ([[<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
      <AccessKeyId>ASIAWEB</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
      <Expiration>%s</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>]])
        :format(later(3600)),
    } })
    local identity = session({
      AWS_WEB_IDENTITY_TOKEN_FILE = directory:path() .. "/token", AWS_ENDPOINT_URL = site:url "",
      AWS_ROLE_ARN = "arn:aws:iam::123456789012:role/worker", AWS_REGION = "eu-west-1",
    }, { sleep_ms = function() end })
    assert.are.equal("ASIAWEB", assert(identity:credentials()).access_key_id)
    local requests = site:requests()
    assert.are.equal(2, #requests)
    assert.is_nil(header(requests[2], "authorization"))
    assert.matches("&WebIdentityToken=jwt.topsecret$", requests[2].body)
  end)
end)
