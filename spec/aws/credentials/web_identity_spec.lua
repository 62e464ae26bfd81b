local outside = require "spec.fake.outside"
local service = require "spec.fake.sts"
local web_identity = require "submitter.aws.credentials.web_identity"

describe("credentials by a web identity", function()
  local world, sts

  before_each(function()
    world = outside.open()
    world.environment = {
      AWS_WEB_IDENTITY_TOKEN_FILE = "/var/run/token", AWS_ROLE_ARN = "arn:aws:iam::123456789012:role/worker",
      AWS_REGION = "eu-west-1",
    }
    world.files["/var/run/token"] = "one"
    sts = service.open(function() return world.now_s end, "eu-west-1")
    sts.tokens.one = true
    world.services["https://sts.eu-west-1.amazonaws.com"] = sts
  end)

  local function fetch()
    return web_identity.fetch(world:session().context)
  end

  it("are those of the role that the environment names", function()
    world.environment.AWS_ROLE_SESSION_NAME = "grading"
    assert.are.same({
      access_key_id = "ASIAROLE1", secret_access_key = "role-secret-1", session_token = "role-token-1",
      expires_s = outside.start_s + 3600, source = "web identity",
    }, fetch())
    assert.are.equal("grading", sts.calls[1].RoleSessionName)
  end)

  it("are asked for with what the file holds now", function()
    assert(fetch())
    world.files["/var/run/token"] = "two\n"
    assert.are.equal("configuration", select(3, fetch()))
    sts.tokens.two = true
    assert(fetch())
    assert.are.equal("two", sts.calls[3].WebIdentityToken)
  end)

  it("are passed over where no file is named, and an error where no role is", function()
    world.environment.AWS_ROLE_ARN = nil
    local _, message, code = fetch()
    assert.are.equal("configuration", code)
    assert.matches("AWS_ROLE_ARN isn't; set both or neither", message)
    world.environment = { AWS_ROLE_ARN = "arn:aws:iam::123456789012:role/worker" }
    assert.are.equal("absent", select(3, fetch()))
  end)

  it("are an error where the file can't be read or is empty", function()
    world.files["/var/run/token"] = " \n"
    local _, message, code = fetch()
    assert.are.equal("unavailable", code)
    assert.are.equal("AWS_WEB_IDENTITY_TOKEN_FILE: /var/run/token is empty", message)
    world.files["/var/run/token"] = nil
    message, code = select(2, fetch())
    assert.are.equal("unavailable", code)
    assert.matches("/var/run/token can't be read: no such file", message)
    world.environment.AWS_WEB_IDENTITY_TOKEN_FILE = "~/token"
    assert.are.equal("configuration", select(3, fetch()))
  end)
end)
