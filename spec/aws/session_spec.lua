local aws_session = require "submitter.aws.session"
local host = require "submitter.host"
local outside = require "spec.fake.outside"
local support = require "spec.support"

describe("a session", function()
  local world

  before_each(function()
    world = outside.open()
    world.environment.AWS_EC2_METADATA_DISABLED = "true"
  end)

  it("says for people where things come from, and nothing secret", function()
    world.environment.AWS_ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
    world.environment.AWS_SECRET_ACCESS_KEY = "topsecret"
    world.environment.AWS_SESSION_TOKEN = "toptoken"
    world.environment.AWS_REGION = "eu-central-1"
    world.environment.AWS_ENDPOINT_URL_SQS = "http://127.0.0.1:9324"
    local described = world:session():describe()
    assert.are.same({
      credentials = "environment (access key …MPLE, without an end)", region = "eu-central-1 (AWS_REGION)",
      endpoints = {
        s3 = "https://s3.eu-central-1.amazonaws.com (the region eu-central-1)",
        sqs = "http://127.0.0.1:9324 (AWS_ENDPOINT_URL_SQS)",
      },
    }, described)
  end)

  it("says what is missing", function()
    local described = world:session():describe()
    assert.are.equal("no_credentials", described.code)
    assert.matches("no credentials for AWS were found", described.message)
    assert.are.same({}, described.endpoints)
    assert.is_nil(described.region)
  end)

  it("reads the shared files once for what is asked at each request", function()
    world.files["/home/grace/.aws/config"] = "[default]\nregion = eu-west-1\nendpoint_url = http://127.0.0.1:9000"
    local session = world:session()
    for _ = 1, 3 do
      assert.are.equal("eu-west-1", session:region())
      assert.are.equal("http://127.0.0.1:9000", session:endpoint("s3").url)
      assert.are.equal(session:endpoint "s3", session:endpoint "s3")
    end
    assert.are.equal(2, #world.reads)
  end)

  it("passes on that the shared files can't be read", function()
    world.files["/home/grace/.aws/config"] = "[default"
    local session = world:session()
    for _, result in ipairs { table.pack(session:region()), table.pack(session:endpoint "s3"),
      table.pack(session:credentials()) } do
      assert.is_nil(result[1])
      assert.are.equal("configuration", result[3])
      assert.matches("^/home/grace/%.aws/config, line 1:", result[2])
    end
  end)

  it("takes no options that it doesn't know", function()
    assert.error_matches(function() aws_session.new { profil = "x" } end, 'unknown option "profil"')
    assert.error_matches(function() aws_session.new { region = "x", keys = "x" } end, "expected session.new{", 1, true)
  end)

  describe("in the real world", function()
    after_each(support.clean)

    it("reads files, also through links that lead elsewhere", function()
      local directory = support.directory()
      local path = directory:path()
      directory:write("real/config", "[default]\nregion = eu-west-1", { parents = true })
      directory:make "home"
      support.make_special("/bin/ln", { "-s", path .. "/real/config", path .. "/home/absolute" })
      support.make_special("/bin/ln", { "-s", "../real/config", path .. "/home/relative" })
      support.make_special("/usr/bin/mkfifo", { path .. "/home/pipe" })
      for _, name in ipairs { "real/config", "home/absolute", "home/relative" } do
        local session = aws_session.new {
          getenv = function(variable) return variable == "AWS_CONFIG_FILE" and path .. "/" .. name or nil end,
        }
        assert.are.equal("eu-west-1", session:region())
      end
      local session = aws_session.new {
        getenv = function(variable)
          return variable == "AWS_CONFIG_FILE" and path .. "/home/pipe"
            or variable == "AWS_EC2_METADATA_DISABLED" and "true" or nil
        end,
      }
      assert.are.equal("configuration", select(3, session:region()))
      assert.matches("can't be read", select(2, session:region()))
      session = aws_session.new {
        getenv = function(variable)
          return variable == "AWS_CONFIG_FILE" and path .. "/none/config"
            or variable == "AWS_EC2_METADATA_DISABLED" and "true" or nil
        end,
      }
      assert.matches("^no region is set", select(2, session:region()))
    end)

    it("has the clock of the host", function()
      local session = aws_session.new()
      assert.is_true(math.abs(session.context.now_s() - host.clock.now_ms() // 1000) <= 1)
    end)
  end)
end)
