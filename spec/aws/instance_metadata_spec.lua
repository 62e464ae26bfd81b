local instance_metadata = require "submitter.aws.instance_metadata"
local outside = require "spec.fake.outside"
local service = require "spec.fake.instance_metadata"

describe("the metadata service of an instance", function()
  local world, metadata

  before_each(function()
    world = outside.open()
    metadata = service.open(function() return world.now_s end)
    metadata.region = "eu-central-1"
    world.services["http://169.254.169.254"] = metadata
  end)

  local function open()
    return instance_metadata.open(world:session().context)
  end

  it("gives values to those who show a token", function()
    local opened = assert(open())
    assert.are.equal("eu-central-1", opened:get "/latest/meta-data/placement/region")
    assert.are.same({ "PUT /latest/api/token", "GET /latest/meta-data/placement/region" }, metadata.requests)
  end)

  it("is asked where somebody says", function()
    for _, set in ipairs {
      { AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://override:456/" },
      { AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://override:456", AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "IPv6" },
      { AWS_CONFIG_FILE = "/config" },
    } do
      world.environment = set
      world.files["/config"] = "[default]\nec2_metadata_service_endpoint = http://override:456"
      world.services = { ["http://override:456"] = metadata }
      assert(open())
    end
    world.environment = { AWS_EC2_METADATA_SERVICE_ENDPOINT = "not a url" }
    assert.are.equal("configuration", select(3, open()))
  end)

  it("is asked by the version of IP that somebody says", function()
    world.services = { ["http://[fd00:ec2::254]"] = metadata }
    world.environment.AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE = "IPv6"
    assert(open())
    world.environment = { AWS_CONFIG_FILE = "/config" }
    world.files["/config"] = "[default]\nec2_metadata_service_endpoint_mode = ipv6"
    assert(open())
    world.files["/config"] = "[default]\nec2_metadata_service_endpoint_mode = IPv7"
    local opened, message, code = open()
    assert.is_nil(opened)
    assert.are.equal("configuration", code)
    assert.matches('expected IPv4 or IPv6, found "IPv7"', message)
  end)

  it("is passed over when it is switched off, refuses, or isn't there", function()
    world.environment.AWS_EC2_METADATA_DISABLED = "true"
    assert.are.equal("absent", select(3, open()))
    assert.are.same({}, world.urls)
    world.environment = {}
    metadata.is_off = true
    local _, message, code = open()
    assert.are.equal("absent", code)
    assert.matches("status 403", message)
    world.services = {}
    assert.are.equal("absent", select(3, open()))
  end)

  it("fails where somebody named one that isn't there", function()
    world.environment.AWS_EC2_METADATA_SERVICE_ENDPOINT = "http://override:456"
    assert.are.equal("unavailable", select(3, open()))
  end)

  it("tells of the hop limit when nothing comes back", function()
    metadata.hops = 2
    local _, message, code = open()
    assert.are.equal("absent", code)
    assert.matches("from a container on an instance its hop limit must be 2", message)
  end)

  it("is asked once: no second try, never version 1", function()
    metadata.answer = function() return service.response(500, "topsecret") end
    local _, message, code = open()
    assert.are.equal("unavailable", code)
    assert.matches("status 500", message)
    assert.is_nil(message:find "topsecret")
    assert.are.same({ "PUT /latest/api/token" }, metadata.requests)
    assert.are.equal(0, world.slept_ms)
  end)

  it("gives no token that couldn't stand in a header", function()
    metadata.answer = function() return service.response(200, "a\r\nHost: b") end
    assert.are.equal("unavailable", select(3, open()))
  end)

  it("answers 401 to a token that has ended", function()
    local opened = assert(open())
    world.now_s = world.now_s + 21601
    local _, message, code = opened:get "/latest/meta-data/placement/region"
    assert.are.equal("unavailable", code)
    assert.matches("status 401", message)
  end)
end)
