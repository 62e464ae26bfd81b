local imds = require "submitter.aws.credentials.imds"
local outside = require "spec.fake.outside"
local service = require "spec.fake.instance_metadata"

describe("credentials of an instance's role", function()
  local world, metadata

  before_each(function()
    world = outside.open()
    metadata = service.open(function() return world.now_s end)
    world.services["http://169.254.169.254"] = metadata
  end)

  local function fetch()
    return imds.fetch(world:session().context)
  end

  it("are asked for by the role's name, with one token", function()
    assert.are.same({
      access_key_id = "ASIAINSTANCE", secret_access_key = "instance-secret", session_token = "instance-token",
      expires_s = outside.start_s + 6 * 3600, source = "instance metadata", is_tolerated = true,
    }, fetch())
    assert.are.same({
      "PUT /latest/api/token", "GET /latest/meta-data/iam/security-credentials/",
      "GET /latest/meta-data/iam/security-credentials/worker",
    }, metadata.requests)
  end)

  it("are passed over where the instance has no role", function()
    metadata.role = nil
    local _, message, code = fetch()
    assert.are.equal("absent", code)
    assert.matches("attach an instance profile", message)
    metadata.role = " \n"
    assert.are.equal("absent", select(3, fetch()))
  end)

  it("are asked for no name that would lead elsewhere", function()
    for _, name in ipairs { "../../user-data", "a b", "worker?x=y", "a/b" } do
      metadata.role = name
      assert.are.equal("unavailable", select(3, fetch()))
    end
    assert.are.equal(8, #metadata.requests)
  end)

  it("say why there are none", function()
    metadata.credentials = { Code = "AssumeRoleUnauthorizedAccess", Message = "EC2 cannot assume the role worker." }
    local _, message, code = fetch()
    assert.are.equal("unavailable", code)
    assert.are.equal("the instance metadata for the role worker answers AssumeRoleUnauthorizedAccess: EC2 cannot "
      .. "assume the role worker.", message)
  end)

  it("have a token and an end", function()
    metadata.credentials.Token = nil
    assert.matches("the Token is missing", select(2, fetch()))
    metadata.credentials.Token, metadata.credentials.Expiration = "t", nil
    assert.matches("the Expiration is missing", select(2, fetch()))
  end)

  it("are an error when they vanish between the two questions", function()
    metadata.answer = function(path)
      if path:find "worker$" then return service.response(404) end
    end
    assert.are.equal("unavailable", select(3, fetch()))
  end)
end)
