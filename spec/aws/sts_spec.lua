local outside = require "spec.fake.outside"
local service = require "spec.fake.sts"
local sts = require "submitter.aws.sts"

local arn = "arn:aws:iam::123456789012:role/path/worker"
local by = { access_key_id = "AKIA1", secret_access_key = "topsecret", session_token = "toptoken" }

describe("a role of STS", function()
  local world, fake

  before_each(function()
    world = outside.open()
    world.environment.AWS_REGION = "eu-west-1"
    fake = service.open(function() return world.now_s end, "eu-west-1")
    fake.tokens["web.identity+/="] = true
    world.services["https://sts.eu-west-1.amazonaws.com"] = fake
  end)

  local function assume(role)
    role.role_arn = role.role_arn or arn
    return sts.assume_role(world:session().context, role, by, "somewhere")
  end

  local function with_token(role, token)
    role.role_arn = role.role_arn or arn
    return sts.assume_role_with_web_identity(world:session().context, role, token or "web.identity+/=", "somewhere")
  end

  it("is assumed by a signed request", function()
    assert.are.same({
      access_key_id = "ASIAROLE1", secret_access_key = "role-secret-1", session_token = "role-token-1",
      expires_s = outside.start_s + 3600, source = "somewhere",
    }, assume {})
    assert.are.same({ {
      Action = "AssumeRole", Version = "2011-06-15", RoleArn = arn, RoleSessionName = "submitter-1795500000",
      access_key_id = "AKIA1", region = "eu-west-1",
    } }, fake.calls)
  end)

  it("is assumed under a name, for a time, and with the id that somebody else chose", function()
    local found = assert(assume { session_name = "grading", duration_seconds = 900, external_id = "a b&c=d/+" })
    assert.are.equal(outside.start_s + 900, found.expires_s)
    assert.are.equal("grading", fake.calls[1].RoleSessionName)
    assert.are.equal("a b&c=d/+", fake.calls[1].ExternalId)
  end)

  it("is assumed by a token, without a signature", function()
    assert.are.equal("ASIAROLE1", with_token({ session_name = "grading" }).access_key_id)
    assert.are.equal("web.identity+/=", fake.calls[1].WebIdentityToken)
    assert.is_nil(fake.calls[1].access_key_id)
  end)

  it("is tried again when the provider of the token, or STS, is in trouble", function()
    fake.failures = { { 400, "IDPCommunicationError" }, { 500, "InternalFailure" } }
    assert(with_token {})
    assert.are.equal(3, #fake.calls)
    assert.is_true(world.slept_ms > 0)
    fake.failures = { { 400, "Throttling" } }
    assert(assume {})
    fake.failures = { { 503, "x" }, { 503, "x" }, { 503, "x" } }
    local _, message, code = assume {}
    assert.are.equal("unavailable", code)
    assert.matches("^assuming the role " .. arn:gsub("%p", "%%%0") .. ": STS AssumeRole: x: said so", message)
  end)

  it("isn't tried again when it is refused", function()
    fake.failures = { { 403, "AccessDenied" } }
    local _, message, code = assume {}
    assert.are.equal("configuration", code)
    assert.matches("AccessDenied: said so", message)
    assert.is_nil(message:find "topsecret")
    assert.are.equal(1, #fake.calls)
    message, code = select(2, with_token({}, "topsecret"))
    assert.are.equal("configuration", code)
    assert.matches("InvalidIdentityToken", message)
    assert.is_nil(message:find "topsecret")
  end)

  it("is an error of the moment when nobody answers", function()
    world.services = {}
    assert.are.equal("unavailable", select(3, assume {}))
  end)

  it("is asked for where somebody says, signed for this region", function()
    world.environment.AWS_ENDPOINT_URL_STS = "http://127.0.0.1:7000"
    world.services = { ["http://127.0.0.1:7000"] = fake }
    assert(assume {})
    assert.are.equal("http://127.0.0.1:7000/", world.urls[1])
  end)

  it("is asked for at the one STS of all in legacy mode, signed for its region", function()
    world.environment.AWS_STS_REGIONAL_ENDPOINTS = "legacy"
    fake.region = "us-east-1"
    world.services = { ["https://sts.amazonaws.com"] = fake }
    assert(assume {})
  end)

  it("is asked for in us-east-1 where no region is set", function()
    world.environment = { AWS_EC2_METADATA_DISABLED = "true" }
    fake.region = "us-east-1"
    world.services = { ["https://sts.us-east-1.amazonaws.com"] = fake }
    assert(assume {})
  end)

  it("is told by an answer that is whole", function()
    local function answer(body)
      world.services = { ["https://sts.eu-west-1.amazonaws.com"] = {
        request = function() return { status = 200, headers = {}, body = body } end,
      } }
      return select(2, assume {})
    end
    assert.matches("the answer holds no credentials", answer "<AssumeRoleResponse/>")
    assert.matches("the answer holds no credentials: it is no XML", answer "topsecret")
    local form = "<AssumeRoleResponse><AssumeRoleResult><Credentials>%s</Credentials></AssumeRoleResult>"
      .. "</AssumeRoleResponse>"
    assert.matches("Expiration is no time", answer(form:format ""))
    assert.matches("the access key id is missing",
      answer(form:format "<Expiration>2026-11-24T06:00:00Z</Expiration>"))
  end)
end)
