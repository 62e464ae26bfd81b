local outside = require "spec.fake.outside"
local profiles = require "submitter.aws.profiles"

describe("the shared files", function()
  local world

  before_each(function() world = outside.open() end)

  local function load(config, credentials)
    world.files["/home/grace/.aws/config"] = config
    world.files["/home/grace/.aws/credentials"] = credentials
    return profiles.load(world:session().context)
  end

  it("lie in the home folder, and needn't be there", function()
    local loaded = load()
    assert.are.same({}, loaded.profiles)
    assert.are.same({ "/home/grace/.aws/config", "/home/grace/.aws/credentials" }, loaded.files)
    assert.are.same({}, loaded.found)
  end)

  it("lie where the environment says, with ~ for the home folder", function()
    world.environment.AWS_CONFIG_FILE = "~/elsewhere"
    world.environment.AWS_SHARED_CREDENTIALS_FILE = "/run/keys"
    world.files["/home/grace/elsewhere"] = "[profile one]\na = 1"
    world.files["/run/keys"] = "[one]\nb = 2"
    local loaded = profiles.load(world:session().context)
    assert.are.same({ one = { a = "1", b = "2" } }, loaded.profiles)
    assert.are.same({ "/home/grace/elsewhere", "/run/keys" }, loaded.found)
  end)

  it("aren't looked for without a home folder, unless they are named", function()
    world.environment.HOME = nil
    assert.are.same({}, load("[default]\na = 1").files)
    world.environment.AWS_CONFIG_FILE = "~/config"
    local loaded, message, code = profiles.load(world:session().context)
    assert.is_nil(loaded)
    assert.are.equal("configuration", code)
    assert.matches("^AWS_CONFIG_FILE: \"~/config\" begins with ~, but HOME isn't set", message)
  end)

  it("hold profiles by different names of their sections", function()
    local loaded = load("[default]\na = 1\n[profile one]\na = 2\n[two]\na = 3\n[profile\tthree]\na = 4\n"
      .. "[profilefour]\na = 5", "[default]\nb = 1\n[one]\nb = 2\n[profile two]\nb = 3\n")
    assert.are.same({ default = { a = "1", b = "1" }, one = { a = "2", b = "2" }, three = { a = "4" } },
      loaded.profiles)
  end)

  it("take names of many characters, and in quotes with spaces", function()
    local loaded = load("[profile some-thing:long/the_one%only.foo@bar+]\n[profile foo!bar]\n[profile in valid]\n"
      .. '[profile "in words"]\na = 1')
    assert.are.same({ ["some-thing:long/the_one%only.foo@bar+"] = {}, ["in words"] = { a = "1" } }, loaded.profiles)
  end)

  it("let the credentials file win, property by property", function()
    assert.are.same({ one = { a = "2", b = "3", c = "4" } },
      load("[profile one]\na = 1\nc = 4", "[one]\na = 2\nb = 3").profiles)
  end)

  it("let [profile default] hide [default]", function()
    for _, config in ipairs {
      "[profile default]\na = 1\n[default]\nb = 2\n[profile default]\nc = 3",
      "[default]\nb = 2\n[profile default]\na = 1\nc = 3",
    } do
      assert.are.same({ default = { a = "1", c = "3", d = "4" } }, load(config, "[default]\nd = 4").profiles)
    end
  end)

  it("hold sections of services", function()
    local loaded = load("[services here]\ns3 =\n  endpoint_url = http://localhost:9000\n[profile one]\nservices = here")
    assert.are.same({ here = { s3 = { endpoint_url = "http://localhost:9000" } } }, loaded.services)
    assert.are.same({ one = { services = "here" } }, loaded.profiles)
  end)

  it("that can't be read are an error with the path", function()
    world.files["/home/grace/.aws/credentials"] = { message = "permission denied", code = "EACCES" }
    local loaded, message, code = profiles.load(world:session().context)
    assert.is_nil(loaded)
    assert.are.equal("configuration", code)
    assert.matches("^/home/grace/%.aws/credentials can't be read: permission denied", message)
    loaded, message = load("[default]\nsecret", "")
    assert.is_nil(loaded)
    assert.are.equal("/home/grace/.aws/config, line 2: expected name = value", message)
  end)
end)

describe("the profile that counts", function()
  it("is the operator's, AWS_PROFILE's, or default", function()
    local world = outside.open()
    assert.are.equal("default", (profiles.name(world:session().context)))
    world.environment.AWS_PROFILE = "one"
    assert.are.same({ "one", "AWS_PROFILE" }, { profiles.name(world:session().context) })
    assert.are.same({ "two", "the configuration" }, { profiles.name(world:session({ profile = "two" }).context) })
    world.environment.AWS_PROFILE = ""
    assert.are.equal("default", (profiles.name(world:session().context)))
  end)
end)
