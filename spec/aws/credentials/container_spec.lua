local container = require "submitter.aws.credentials.container"
local outside = require "spec.fake.outside"
local service = require "spec.fake.container_credentials"

describe("credentials of a container", function()
  local world, endpoint

  before_each(function()
    world = outside.open()
    endpoint = service.open()
    world.services["http://169.254.170.2"] = endpoint
    world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/task"
  end)

  local function fetch()
    return container.fetch(world:session().context)
  end

  local function asked(full)
    world.environment = { AWS_CONTAINER_CREDENTIALS_FULL_URI = full }
    world.urls = {}
    local _, message, code = fetch()
    return world.urls[1], message, code
  end

  it("come from the address of ECS", function()
    assert.are.same({
      access_key_id = "ASIACONTAINER", secret_access_key = "container-secret", session_token = "container-token",
      expires_s = outside.start_s + 6 * 3600, source = "container",
    }, fetch())
    assert.is_false(endpoint.requests[1].proxy)
  end)

  it("come from the relative address where both are set, query and all", function()
    world.environment.AWS_CONTAINER_CREDENTIALS_FULL_URI = "http://localhost:8080/credentials"
    assert(fetch())
    world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/task?a=1"
    fetch()
    assert.are.equal("http://169.254.170.2/v2/credentials/task?a=1", world.urls[2])
  end)

  it("are passed over where no address is set", function()
    world.environment = { AWS_CONTAINER_AUTHORIZATION_TOKEN = "topsecret" }
    assert.are.equal("absent", select(3, fetch()))
  end)

  it("are asked for over plain http only within the machine", function()
    for _, address in ipairs {
      "http://127.0.0.1:8080/credentials", "http://127.255.3.4/credentials", "http://localhost:8080/credentials",
      "http://[::1]:8080/credentials", "http://[0:0:0:0:0:0:0:1]/credentials", "http://169.254.170.2/credentials",
      "http://169.254.170.23/v1/credentials", "http://[fd00:ec2::23]/v1/credentials",
      "https://mypersonalsite:8080/credentials",
    } do
      assert.are.equal(address, (asked(address)))
    end
    for _, address in ipairs {
      "http://mypersonalsite/credentials", "http://169.254.170.3/credentials", "http://127.0.0.1.evil.example/",
      "http://128.0.0.1/", "http://127.0.0.256/", "http://[::2]/", "http://[::ffff:8.8.8.8]/", "http://localhost.evil/",
      "http://[fe80::1]/",
    } do
      local url, message, code = asked(address)
      assert.is_nil(url)
      assert.are.equal("configuration", code)
      assert.matches("over plain http only this machine", message)
    end
    for _, address in ipairs { "/credentials", "http://169.254.170.2@evil.example/", "file:///etc/passwd" } do
      local url, message, code = asked(address)
      assert.is_nil(url)
      assert.are.equal("configuration", code)
      assert.matches("^AWS_CONTAINER_CREDENTIALS_FULL_URI can't be used", message)
    end
  end)

  it("can't be asked for elsewhere by a relative address", function()
    for _, relative in ipairs { "@evil.example/", ".evil.example/", "//@x y/" } do
      world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = relative
      local _, message, code = fetch()
      assert.are.equal("configuration", code)
      assert.matches(relative:sub(1, 1) == "/" and "can't be used" or "must begin with a /", message, 1, true)
    end
    assert.are.same({}, world.urls)
  end)

  it("are asked for by a proxy only where they are far away", function()
    asked "https://mypersonalsite/credentials"
    world.on_request = function(request) assert.is_nil(request.proxy) end
    asked "https://mypersonalsite/credentials"
  end)

  it("are given for a token, and the file wins and is read anew", function()
    endpoint.token = "Basic one"
    world.environment.AWS_CONTAINER_AUTHORIZATION_TOKEN = "Basic one"
    assert(fetch())
    world.environment.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = "/var/run/token"
    world.files["/var/run/token"] = "two"
    endpoint.token = "two"
    assert(fetch())
    world.files["/var/run/token"], endpoint.token = "three", "three"
    assert(fetch())
    endpoint.token = "four"
    local _, message, code = fetch()
    assert.are.equal("unavailable", code)
    assert.matches("status 401, AccessDenied: said so$", message)
    assert.is_nil(message:find "three")
  end)

  it("aren't asked for with a token that would end the header", function()
    for _, token in ipairs { "topsecret\r\nHost: x", "topsecret\n", "topsecret\r" } do
      world.environment.AWS_CONTAINER_AUTHORIZATION_TOKEN = token
      local _, message, code = fetch()
      assert.are.equal("configuration", code)
      assert.matches("AWS_CONTAINER_AUTHORIZATION_TOKEN: the token holds a line break", message, 1, true)
      assert.is_nil(message:find "topsecret")
    end
    world.environment.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE = "/var/run/token"
    world.files["/var/run/token"] = "topsecret\n"
    assert.matches("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: the token holds a line break", select(2, fetch()))
    world.files["/var/run/token"] = nil
    local _, message, code = fetch()
    assert.are.equal("unavailable", code)
    assert.matches("/var/run/token can't be read", message)
    assert.are.same({}, endpoint.requests)
  end)

  it("are asked for three times where nobody answers or something is wrong there, else once", function()
    endpoint.failures = { { nil, "cut", "cut" }, 503 }
    assert(fetch())
    assert.are.equal(3, #endpoint.requests)
    assert.are.equal(2000, world.slept_ms)
    endpoint.failures = { 500, 500, 500 }
    local _, message, code = fetch()
    assert.are.equal("unavailable", code)
    assert.matches("status 500, NotNow: said so", message)
    endpoint.failures, endpoint.requests = { 400 }, {}
    assert.are.equal("unavailable", select(3, fetch()))
    assert.are.equal(1, #endpoint.requests)
  end)
end)
