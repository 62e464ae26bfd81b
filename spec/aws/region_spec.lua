local outside = require "spec.fake.outside"
local instance_metadata = require "spec.fake.instance_metadata"
local region = require "submitter.aws.region"

describe("the region", function()
  local world, metadata

  before_each(function()
    world = outside.open()
    metadata = instance_metadata.open(function() return world.now_s end)
    world.services["http://169.254.169.254"] = metadata
  end)

  it("is found in this order", function()
    metadata.region = "sa-east-1"
    assert.are.equal("sa-east-1", world:session():region())
    world.files["/home/grace/.aws/config"] = "[default]\nregion = eu-west-1 # Ireland"
    assert.are.equal("eu-west-1", world:session():region())
    world.environment.AWS_DEFAULT_REGION = "eu-west-2"
    assert.are.equal("eu-west-2", world:session():region())
    world.environment.AWS_REGION = "eu-west-3"
    assert.are.equal("eu-west-3", world:session():region())
    assert.are.equal("eu-central-1", world:session({ region = "eu-central-1" }):region())
    world.environment = { AWS_REGION = "", AWS_DEFAULT_REGION = "eu-west-2" }
    assert.are.equal("eu-west-2", world:session():region())
  end)

  it("is that of the profile that counts", function()
    world.files["/home/grace/.aws/config"] = "[default]\nregion = eu-west-1\n[profile one]\nregion = us-west-2"
    assert.are.equal("us-west-2", world:session({ profile = "one" }):region())
  end)

  it("fits into the name of a host", function()
    for _, name in ipairs { "eu-central-1", "us-gov-west-1", "local", "RegionOne" } do
      assert.is_true(region.is_valid(name))
    end
    for _, name in ipairs { "", "-a", "a-", "a.b", "a/b", "a@evil.example", "a b", "1", ("a"):rep(64), "é", "a\n" } do
      assert.is_false(region.is_valid(name))
      local found, message, code = world:session({ region = name }):region()
      assert.is_nil(found)
      assert.are.equal("configuration", code)
      assert.matches("^region in the configuration: .+ is no region; expected", message)
    end
    assert.is_false(region.is_valid(nil))
    world.environment.AWS_REGION = "evil.example/"
    assert.matches('^AWS_REGION: "evil.example/" is no region', select(2, world:session():region()))
  end)

  it("is asked of the instance once, and kept", function()
    metadata.region = "sa-east-1"
    local session = world:session()
    session:region()
    session:region()
    assert.are.same({ "PUT /latest/api/token", "GET /latest/meta-data/placement/region" }, metadata.requests)
  end)

  it("that nobody sets is an error that says how to, and the instance isn't asked at each request", function()
    local session = world:session()
    local found, message, code = session:region()
    assert.is_nil(found)
    assert.are.equal("configuration", code)
    assert.matches("^no region is set: set region in the configuration, AWS_REGION, or region in the profile", message)
    session:region()
    assert.are.equal(2, #metadata.requests)
    metadata.region = "sa-east-1"
    world.now_s = world.now_s + 31
    assert.are.equal("sa-east-1", session:region())
  end)

  it("isn't asked of the instance where its metadata are switched off", function()
    world.environment.AWS_EC2_METADATA_DISABLED = "True"
    local message = select(2, world:session():region())
    assert.matches("AWS_EC2_METADATA_DISABLED is true", message)
    assert.are.same({}, metadata.requests)
  end)
end)
