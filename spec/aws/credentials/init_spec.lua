local container_service = require "spec.fake.container_credentials"
local host = require "submitter.host"
local imds_service = require "spec.fake.instance_metadata"
local outside = require "spec.fake.outside"
local sigv4 = require "spec.fake.sigv4"
local sts_service = require "spec.fake.sts"
local support = require "spec.support"

local minute = 60

describe("the chain of providers", function()
  local world

  before_each(function()
    world = outside.open()
    world.environment.AWS_REGION = "eu-west-1"
  end)

  local function source(options)
    local snapshot, message, code = world:session(options):credentials()
    return snapshot and snapshot.source, message, code
  end

  it("is asked in its order", function()
    world.services["http://169.254.169.254"] = imds_service.open(function() return world.now_s end)
    assert.are.equal("instance metadata", (source()))
    world.services["http://169.254.170.2"] = container_service.open()
    world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/task"
    assert.are.equal("container", (source()))
    local sts = sts_service.open(function() return world.now_s end, "eu-west-1")
    sts.tokens.jwt = true
    world.services["https://sts.eu-west-1.amazonaws.com"] = sts
    world.files["/token"] = "jwt"
    world.environment.AWS_WEB_IDENTITY_TOKEN_FILE, world.environment.AWS_ROLE_ARN = "/token", "arn:aws:iam::1:role/a"
    assert.are.equal("web identity", (source()))
    world.files["/home/grace/.aws/credentials"] = "[default]\naws_access_key_id = a\naws_secret_access_key = b"
    assert.are.equal('profile "default"', (source()))
    world.environment.AWS_ACCESS_KEY_ID, world.environment.AWS_SECRET_ACCESS_KEY = "AKIAENV", "s"
    assert.are.equal("environment", (source()))
    assert.are.equal('profile "default"', (source { profile = "default" }))
  end)

  it("ends at one that is configured and fails", function()
    world.services["http://169.254.169.254"] = imds_service.open(function() return world.now_s end)
    world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/task"
    local found, message, code = source()
    assert.is_nil(found)
    assert.are.equal("unavailable", code)
    assert.matches("^the container's credential endpoint http://169.254.170.2/v2/credentials/task: nobody", message)
    world.environment.AWS_PROFILE = "gone"
    assert.are.equal("configuration", select(3, source()))
  end)

  it("that finds nothing says where it looked and what to do", function()
    local found, message, code = source()
    assert.is_nil(found)
    assert.are.equal("no_credentials", code)
    for _, expected in ipairs {
      "no credentials for AWS were found", "environment: AWS_ACCESS_KEY_ID isn't set", "profile: there is no profile",
      "web identity: AWS_WEB_IDENTITY_TOKEN_FILE isn't set", "container: neither",
      "instance metadata: no metadata service", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    } do
      assert.matches(expected, message, 1, true)
    end
  end)
end)

describe("the credentials of a session", function()
  local world, endpoint, session

  local function lives(seconds)
    endpoint.credentials.Expiration = host.clock.utc((world.now_s + seconds) * 1000)
  end

  before_each(function()
    world = outside.open()
    world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/task"
    world.environment.AWS_EC2_METADATA_DISABLED = "true"
    endpoint = container_service.open()
    world.services["http://169.254.170.2"] = endpoint
    lives(60 * minute)
    session = world:session()
  end)

  -- Lets the task that fetches come to its end.
  local function settle()
    support.eventually("the end of the fetch", function() return session.cache.flight == nil end)
  end

  local function fetches()
    return #endpoint.requests
  end

  it("are one snapshot that nobody changes and that shows no secret", function()
    local snapshot = session:credentials()
    assert.are.same({ access_key_id = "ASIACONTAINER", secret_access_key = "container-secret",
      session_token = "container-token" }, sigv4.reveal(snapshot.keys))
    assert.are.equal("ASIACONTAINER", snapshot.access_key_id)
    assert.are.equal("container", snapshot.source)
    assert.are.equal(world.now_s + 3600, snapshot.expires_s)
    assert.has_error(function() snapshot.access_key_id = "x" end)
    assert.are.equal("credentials from container", tostring(snapshot))
    assert.is_nil(next(snapshot))
  end)

  it("are kept", function()
    local snapshot = session:credentials()
    world.now_s = world.now_s + 45 * minute - 1
    assert.are.equal(snapshot, session:credentials())
    settle()
    assert.are.equal(1, fetches())
  end)

  it("never end where they are static", function()
    world.environment = { AWS_ACCESS_KEY_ID = "AKIA1", AWS_SECRET_ACCESS_KEY = "s" }
    session = world:session()
    local snapshot = session:credentials()
    assert.is_nil(snapshot.expires_s)
    world.now_s = world.now_s + 10 * 365 * 86400
    assert.are.equal(snapshot, session:credentials())
  end)

  it("are refreshed in the background from 15 minutes before their end", function()
    local old = session:credentials()
    world.now_s = world.now_s + 45 * minute
    lives(60 * minute)
    assert.are.equal(old, session:credentials())
    settle()
    assert.are.equal(2, fetches())
    local new = session:credentials()
    assert.are_not.equal(old, new)
    assert.are.equal(world.now_s + 3600, new.expires_s)
    assert.are.equal(2, fetches())
  end)

  it("are used on when that fails, which is tried again after a minute and told every five", function()
    local old = session:credentials()
    world.now_s = world.now_s + 45 * minute
    local lines = support.logged(function()
      for _ = 1, 3 do
        endpoint.failures = { 400 }
        for _ = 1, 3 do
          assert.are.equal(old, session:credentials())
          settle()
        end
        world.now_s = world.now_s + minute
      end
    end)
    assert.are.equal(4, fetches())
    assert.are.equal(1, #lines)
    assert.are.equal("credentials_not_refreshed", lines[1].event)
    assert.matches("status 400", lines[1].fields.reason)
    assert.are.equal("container", lines[1].fields.source)
  end)

  it("are waited for from 10 minutes before their end, and then a failure is the caller's", function()
    local old = session:credentials()
    world.now_s = world.now_s + 50 * minute
    endpoint.failures = { 400 }
    local found, message, code = session:credentials()
    assert.is_nil(found)
    assert.are.equal("unavailable", code)
    assert.matches("status 400", message)
    lives(60 * minute)
    local new = session:credentials()
    assert.are_not.equal(old, new)
    assert.are.equal(3, fetches())
  end)

  it("that live shortly are fetched at their half, and waited for in their last third", function()
    lives(15 * minute)
    local first = session:credentials()
    world.now_s = world.now_s + 7 * minute
    assert.are.equal(first, session:credentials())
    settle()
    assert.are.equal(1, fetches())
    world.now_s = world.now_s + minute
    lives(7 * minute)
    assert.are.equal(first, session:credentials())
    settle()
    assert.are.equal(2, fetches())
    local second = session:credentials()
    world.now_s = world.now_s + 5 * minute
    lives(15 * minute)
    assert.are_not.equal(second, session:credentials())
  end)

  it("are refused when they come expired", function()
    lives(0)
    local found, message, code = session:credentials()
    assert.is_nil(found)
    assert.are.equal("unavailable", code)
    assert.matches("^the credentials from container are expired already %(2026%-11%-24T06:00:00", message)
    lives(60 * minute)
    assert.is_truthy(session:credentials())
  end)

  it("are fetched anew when a service says that they are expired, once", function()
    local old = session:credentials()
    endpoint.credentials.AccessKeyId = "ASIANEXT"
    session:expired(old)
    session:expired(old)
    local new = session:credentials()
    assert.are.equal("ASIANEXT", new.access_key_id)
    session:expired(old)
    assert.are.equal(new, session:credentials())
    assert.are.equal(2, fetches())
    session:expired(new)
    endpoint.failures = { 400 }
    assert.is_nil((session:credentials()))
  end)

  describe("of an instance", function()
    local metadata

    before_each(function()
      world.environment = {}
      metadata = imds_service.open(function() return world.now_s end)
      metadata.credentials.Expiration = host.clock.utc((world.now_s + 3600) * 1000)
      world.services = { ["http://169.254.169.254"] = metadata }
      session = world:session()
    end)

    it("are used although they are expired when it serves no others", function()
      metadata.credentials.Expiration = host.clock.utc((world.now_s - 60) * 1000)
      local snapshot
      local lines = support.logged(function() snapshot = session:credentials() end)
      assert.are.equal(world.now_s - 60, snapshot.expires_s)
      assert.are.equal("credentials_extended", lines[1].event)
      assert.are.equal(450, lines[1].fields.again_in_s)
      world.now_s = world.now_s + 449
      assert.are.equal(snapshot, session:credentials())
      assert.are.equal(3, #metadata.requests)
      world.now_s = world.now_s + 1
      metadata.credentials.Expiration = host.clock.utc((world.now_s + 3600) * 1000)
      assert.are.equal(snapshot, session:credentials())
      settle()
      assert.are_not.equal(snapshot, session:credentials())
    end)

    it("are used on when its metadata can't be reached", function()
      local snapshot = session:credentials()
      world.services = {}
      world.now_s = world.now_s + 55 * minute
      local lines = support.logged(function()
        assert.are.equal(snapshot, session:credentials())
        assert.are.equal(snapshot, session:credentials())
      end)
      assert.are.equal(1, #lines)
      assert.are.equal("credentials_extended", lines[1].event)
      session:expired(snapshot)
      assert.are.equal("no_credentials", select(3, session:credentials()))
    end)
  end)

  describe("asked for by many at once", function()
    local gate

    before_each(function()
      gate = host.task.event()
      world.on_request = function() assert(gate:wait(10000)) end
    end)

    it("are fetched once", function()
      local tasks = {}
      for index = 1, 5 do
        tasks[index] = host.task.spawn("caller", function() return session:credentials() end)
      end
      support.eventually("a request", function() return #world.urls == 1 end)
      gate:set()
      local first
      for _, task in ipairs(tasks) do
        local good, snapshot = task:join()
        assert.is_true(good)
        first = first or snapshot
        assert.are.equal(first, snapshot)
      end
      assert.are.equal(1, fetches())
    end)

    it("fail for all at once, and are then fetched anew", function()
      endpoint.failures = { 400 }
      local tasks = {}
      for index = 1, 3 do
        tasks[index] = host.task.spawn("caller", function() return session:credentials() end)
      end
      support.eventually("a request", function() return #world.urls == 1 end)
      gate:set()
      for _, task in ipairs(tasks) do
        local _, snapshot, _, code = task:join()
        assert.is_nil(snapshot)
        assert.are.equal("unavailable", code)
      end
      assert.are.equal(1, fetches())
      assert.is_truthy(session:credentials())
    end)

    it("come to the others when one of them is cancelled, also the first", function()
      local first = host.task.spawn("first", function() return session:credentials() end)
      support.eventually("a request", function() return #world.urls == 1 end)
      local second = host.task.spawn("second", function() return session:credentials() end)
      first:cancel "no longer needed"
      assert.are.equal("cancelled", select(3, first:join()))
      gate:set()
      local good, snapshot = second:join()
      assert.is_true(good)
      assert.are.equal("ASIACONTAINER", snapshot.access_key_id)
      assert.are.equal(1, fetches())
    end)

    it("are an error for all when the fetch itself breaks, and no riddle for the next", function()
      local broken = true
      world.on_request = function()
        gate:wait(10000)
        if broken then error "broken" end
      end
      local caller = host.task.spawn("caller", function() return session:credentials() end)
      support.eventually("a request", function() return #world.urls == 1 end)
      -- Who joins is told, and nothing is logged.
      local watcher = host.task.spawn("watcher", function() return session.cache.flight.task:join() end)
      host.clock.sleep_ms(1)
      gate:set()
      local _, snapshot, message, code = caller:join()
      assert.is_nil(snapshot)
      assert.are.equal("unavailable", code)
      assert.matches("broken off", message)
      assert.are.equal("failed", select(4, watcher:join()))
      broken = false
      assert.is_truthy(session:credentials())
    end)
  end)
end)
