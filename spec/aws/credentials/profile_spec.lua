local container_service = require "spec.fake.container_credentials"
local imds_service = require "spec.fake.instance_metadata"
local outside = require "spec.fake.outside"
local profile = require "submitter.aws.credentials.profile"
local sts_service = require "spec.fake.sts"

-- Many of the cases are those of the SDKs' shared tests of roles.
describe("credentials of a profile", function()
  local world, sts

  before_each(function()
    world = outside.open()
    world.environment.AWS_REGION = "eu-west-1"
    sts = sts_service.open(function() return world.now_s end, "eu-west-1")
    world.services["https://sts.eu-west-1.amazonaws.com"] = sts
  end)

  local function fetch(config, name)
    world.files["/home/grace/.aws/config"] = config
    return profile.fetch(world:session({ profile = name or "A" }).context)
  end

  local function refused(config)
    local found, message, code = fetch(config)
    assert.is_nil(found)
    assert.are.equal("configuration", code)
    return message
  end

  local role_a = "[profile A]\nrole_arn = arn:aws:iam::123456789:role/RoleA\n"
  local role_b = "[profile B]\nrole_arn = arn:aws:iam::123456789:role/RoleB\n"
  local function static(id) return ("aws_access_key_id = %s\naws_secret_access_key = topsecret\n"):format(id) end

  -- Who assumed which role: "abc123 RoleB".
  local function calls()
    local list = {}
    for index, call in ipairs(sts.calls) do list[index] = call.access_key_id .. " " .. call.RoleArn:match "[^/]+$" end
    return list
  end

  it("are keys that stand there", function()
    assert.are.same({ access_key_id = "abc123", secret_access_key = "topsecret", session_token = "t",
      source = 'profile "A"' }, fetch("[profile A]\n" .. static "abc123" .. "aws_session_token = t"))
    assert.matches("only one of .*: aws_secret_access_key is missing", refused "[profile A]\naws_access_key_id = a")
    assert.matches("only one of .*: aws_access_key_id is missing",
      refused "[profile A]\naws_secret_access_key = topsecret")
  end)

  it("are read anew each time", function()
    local context = world:session().context
    world.files["/home/grace/.aws/credentials"] = "[default]\n" .. static "one"
    assert.are.equal("one", profile.fetch(context).access_key_id)
    world.files["/home/grace/.aws/credentials"] = "[default]\n" .. static "two"
    assert.are.equal("two", profile.fetch(context).access_key_id)
  end)

  it("are passed over where there are none, unless somebody named the profile", function()
    local _, message, code = profile.fetch(world:session().context)
    assert.are.equal("absent", code)
    assert.are.equal('there is no profile "default" in /home/grace/.aws/config and /home/grace/.aws/credentials',
      message)
    assert.are.equal("absent", select(3, fetch "[profile A]\nregion = eu-west-1"))
    assert.matches('^the configuration names the profile "A", which isn\'t in', refused "")
    world.environment.AWS_PROFILE = "B"
    message, code = select(2, profile.fetch(world:session().context))
    assert.are.equal("configuration", code)
    assert.matches('^AWS_PROFILE names the profile "B", which isn\'t in', message)
  end)

  it("are those of a role, assumed by another profile's", function()
    local found = fetch(role_a .. "source_profile = B\nrole_session_name = my_session\nexternal_id = my_id\n"
      .. "duration_seconds = 1800\n[profile B]\n" .. static "abc123")
    assert.are.same({ access_key_id = "ASIAROLE1", secret_access_key = "role-secret-1", session_token = "role-token-1",
      expires_s = outside.start_s + 1800, source = 'role of the profile "A"' }, found)
    assert.are.same({ "abc123 RoleA" }, calls())
    assert.are.equal("my_session", sts.calls[1].RoleSessionName)
    assert.are.equal("my_id", sts.calls[1].ExternalId)
  end)

  it("are those of the role rather than keys beside it", function()
    assert(fetch(role_a .. static "bug" .. "source_profile = B\n[profile B]\n" .. static "ghi890"))
    assert.are.same({ "ghi890 RoleA" }, calls())
  end)

  it("are those of a role that a profile's own keys assume", function()
    assert(fetch(role_a .. static "abc123" .. "source_profile = A"))
    assert.are.same({ "abc123 RoleA" }, calls())
    assert.matches("names itself as source_profile, but has no keys", refused(role_a .. "source_profile = A"))
  end)

  it("may be at the end of a chain of roles", function()
    assert(fetch(role_a .. "source_profile = B\n" .. role_b .. "source_profile = C\n[profile C]\n" .. static "mno456"))
    assert.are.same({ "mno456 RoleB", "ASIAROLE1 RoleA" }, calls())
    assert.are.equal("123456789", sts.calls[2].RoleArn:match "%d+")
  end)

  it("are keys rather than a role in a profile that another one names", function()
    assert(fetch(role_a .. static "bug" .. "source_profile = B\n" .. role_b .. "source_profile = C\n"
      .. static "keys_of_b" .. "[profile C]\n" .. static "bug"))
    assert.are.same({ "keys_of_b RoleA" }, calls())
  end)

  it("aren't looked for in a circle", function()
    assert.matches('in a circle: "B" leads back to "A"',
      refused(role_a .. "source_profile = B\n" .. role_b .. "source_profile = A"))
    assert.matches("in a circle",
      refused(role_a .. static "bug" .. "source_profile = B\n" .. role_b .. "source_profile = A"))
    assert.matches("in a circle", refused(role_a .. "source_profile = B\n" .. role_b .. "source_profile = C\n"
      .. "[profile C]\nrole_arn = arn:aws:iam::1:role/C\nsource_profile = B"))
    assert.are.same({}, sts.calls)
  end)

  it("of a role need exactly one thing to assume it with", function()
    assert.matches("add source_profile, credential_source or web_identity_token_file", refused(role_a))
    assert.matches("has both source_profile and credential_source",
      refused(role_a .. "source_profile = B\ncredential_source = Environment\n[profile B]\n" .. static "x"))
    assert.matches('names the source_profile "B", which isn\'t there', refused(role_a .. "source_profile = B"))
    assert.matches('the source_profile "B" of the profile "A" holds no credentials',
      refused(role_a .. "source_profile = B\n[profile B]\nregion = x"))
    assert.matches("aws_secret_access_key is missing",
      refused(role_a .. "source_profile = B\n[profile B]\naws_access_key_id = x"))
  end)

  it("of a role last as long as STS lets them", function()
    for _, text in ipairs { "899", "43201", "1h", "-900", "900.0" } do
      assert.matches("^duration_seconds of the profile \"A\": expected a number from 900 to 43200",
        refused(role_a .. "source_profile = A\n" .. static "x" .. "duration_seconds = " .. text))
    end
  end)

  it("of a role can't take a person's device", function()
    assert.matches("mfa_serial", refused(role_a .. "source_profile = A\nmfa_serial = arn:aws:iam::1:mfa/grace\n"
      .. static "x"))
  end)

  it("of a role may be assumed by the environment's, the container's and the instance's", function()
    world.environment.AWS_ACCESS_KEY_ID, world.environment.AWS_SECRET_ACCESS_KEY = "AKIAENV", "topsecret"
    world.environment.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI = "/v2/credentials/task"
    world.services["http://169.254.170.2"] = container_service.open()
    world.services["http://169.254.169.254"] = imds_service.open(function() return world.now_s end)
    for _, source in ipairs { "Environment", "EcsContainer", "ec2instancemetadata" } do
      assert(fetch(role_a .. "credential_source = " .. source))
    end
    assert.are.same({ "AKIAENV RoleA", "ASIACONTAINER RoleA", "ASIAINSTANCE RoleA" }, calls())
    assert.matches("expected Environment, EcsContainer or Ec2InstanceMetadata, found \"Elsewhere\"",
      refused(role_a .. "credential_source = Elsewhere"))
    world.environment.AWS_ACCESS_KEY_ID, world.environment.AWS_SECRET_ACCESS_KEY = nil, nil
    assert.matches("takes its credentials from Environment, but AWS_ACCESS_KEY_ID isn't set",
      refused(role_a .. "credential_source = Environment"))
  end)

  it("may come by a web identity, also for another role", function()
    sts.tokens.jwt = true
    world.files["/var/token.jwt"] = "jwt"
    local by_token = "web_identity_token_file = /var/token.jwt\nrole_session_name = some_session_name\n"
    assert.are.equal('web identity of the profile "A"', fetch(role_a .. by_token).source)
    assert.are.equal("some_session_name", sts.calls[1].RoleSessionName)
    sts.calls = {}
    assert(fetch(role_a .. "source_profile = B\n" .. role_b .. by_token))
    assert.are.equal("AssumeRoleWithWebIdentity", sts.calls[1].Action)
    assert.are.equal("ASIAROLE1", sts.calls[2].access_key_id)
    assert.matches("web_identity_token_file, but no role_arn", refused("[profile A]\n" .. by_token))
  end)

  it("may come from a program, also for a role", function()
    world.run = function()
      return { exit_code = 0, stdout = '{"Version":1,"AccessKeyId":"AKIAPROC","SecretAccessKey":"s"}', stderr = "" }
    end
    assert.are.equal('process of the profile "A"', fetch("[profile A]\ncredential_process = /bin/keys a").source)
    assert(fetch(role_a .. "source_profile = B\n[profile B]\ncredential_process = /bin/keys a"))
    assert.are.same({ "AKIAPROC RoleA" }, calls())
  end)

  it("aren't those of a person who signs in, but there is a way", function()
    for _, line in ipairs { "sso_session = x", "sso_start_url = https://x", "login_session = x" } do
      assert.matches("credential_process = aws configure export-credentials --format process --profile A",
        refused("[profile A]\n" .. line), 1, true)
    end
  end)

  it("show no secret in a message", function()
    for _, config in ipairs {
      "[profile A]\naws_access_key_id = a\naws_secret_access_key = top secret",
      "[profile A]\naws_secret_access_key = topsecret",
      role_a .. "source_profile = A\n" .. static "x" .. "duration_seconds = 1",
    } do
      assert.is_nil(refused(config):find "top ?secret")
    end
  end)
end)
