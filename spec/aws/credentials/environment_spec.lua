local environment = require "submitter.aws.credentials.environment"
local outside = require "spec.fake.outside"

describe("credentials in the environment", function()
  local world

  before_each(function() world = outside.open() end)

  local function fetch(variables)
    world.environment = variables
    return environment.fetch(world:session().context)
  end

  it("are key, secret and perhaps a token, without an end", function()
    assert.are.same({ access_key_id = "AKIA1", secret_access_key = "secret", source = "environment" },
      fetch { AWS_ACCESS_KEY_ID = "AKIA1", AWS_SECRET_ACCESS_KEY = "secret", AWS_SESSION_TOKEN = "" })
    assert.are.equal("token", fetch { AWS_ACCESS_KEY_ID = "ASIA1", AWS_SECRET_ACCESS_KEY = "secret",
      AWS_SESSION_TOKEN = "token" }.session_token)
  end)

  it("are passed over where there are none", function()
    assert.are.equal("absent", select(3, fetch {}))
    assert.are.equal("absent", select(3, fetch { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" }))
  end)

  it("are an error where one is missing, which is told without the other", function()
    local found, message, code = fetch { AWS_ACCESS_KEY_ID = "AKIA1" }
    assert.is_nil(found)
    assert.are.equal("configuration", code)
    assert.are.equal("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY isn't; set both or neither", message)
    message, code = select(2, fetch { AWS_SECRET_ACCESS_KEY = "topsecret" })
    assert.are.equal("configuration", code)
    assert.are.equal("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID isn't; set both or neither", message)
  end)

  it("are an error where they hold what can't stand in a header", function()
    local found, message, code = fetch { AWS_ACCESS_KEY_ID = "AKIA1", AWS_SECRET_ACCESS_KEY = "topsecret\n" }
    assert.is_nil(found)
    assert.are.equal("configuration", code)
    assert.matches("the secret access key holds white space", message)
    assert.is_nil(message:find "topsecret")
  end)
end)
