local outside = require "spec.fake.outside"
local process = require "submitter.aws.credentials.process"
local support = require "spec.support"

describe("credentials that a program prints", function()
  local world
  local printed = '{"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"s","SessionToken":"t",'
    .. '"Expiration":"2026-11-24T07:00:00Z"}'

  before_each(function()
    world = outside.open()
    world.run = function() return { exit_code = 0, stdout = printed, stderr = "topsecret" } end
  end)

  local function fetch(line)
    return process.fetch(world:session().context, line, '"one"')
  end

  it("are read", function()
    assert.are.same({ access_key_id = "ASIA1", secret_access_key = "s", session_token = "t",
      expires_s = outside.start_s + 3600, source = 'process of the profile "one"' }, fetch "/bin/keys")
    printed = '{"Version":1,"AccessKeyId":"AKIA1","SecretAccessKey":"s"}'
    assert.is_nil(fetch("/bin/keys").expires_s)
  end)

  it("come from a program whose line no shell has seen", function()
    fetch [["/opt/my tools/keys" --user grace "with spaces" 'single $HOME' $HOME ~ ; | > "a""b" c\ d]]
    assert.are.equal("/opt/my tools/keys", world.runs[1].program)
    assert.are.same({ "--user", "grace", "with spaces", "single $HOME", "$HOME", "~", ";", "|", ">", "ab", "c d" },
      world.runs[1].arguments)
  end)

  it("come from a program that is looked for as a shell does", function()
    world.environment.PATH = "/one:/two:/three"
    world.run = function(options)
      if options.program == "/one/keys" then return nil, "no such file", "ENOENT" end
      if options.program == "/two/keys" then return nil, "permission denied", "EACCES" end
      return { exit_code = 0, stdout = printed, stderr = "" }
    end
    assert(fetch "keys a")
    assert.are.equal("/three/keys", world.runs[3].program)
    world.run = function() return nil, "no such file", "ENOENT" end
    local _, message, code = fetch "keys"
    assert.are.equal("configuration", code)
    assert.matches('^credential_process of the profile "one": keys can\'t be run: ', message)
  end)

  it("are an error that shows nothing of what the program said", function()
    for _, result in ipairs {
      { exit_code = 1, stdout = '{"Version":1,"AccessKeyId":"A","SecretAccessKey":"topsecret"}', stderr = "topsecret" },
      { signal = "SIGKILL", stdout = "topsecret", stderr = "topsecret" },
      { exit_code = 0, stdout = "topsecret", stderr = "topsecret" },
      { exit_code = 0, stdout = "{}", stdout_truncated = true, stderr = "topsecret" },
      { exit_code = 0, stdout = '{"Version":2,"AccessKeyId":"A","SecretAccessKey":"topsecret"}', stderr = "" },
      { exit_code = 0, stdout = '{"AccessKeyId":"A","SecretAccessKey":"topsecret"}', stderr = "" },
      { exit_code = 0, stdout = '{"Version":1,"SecretAccessKey":"topsecret"}', stderr = "" },
    } do
      world.run = function() return result end
      local found, message = fetch "/bin/keys --password topsecret"
      assert.is_nil(found)
      assert.matches('^credential_process of the profile "one"', message)
      assert.is_nil(message:find "topsecret")
    end
    world.run = function() return nil, "it took too long", "timeout" end
    local _, message, code = fetch "/bin/keys"
    assert.are.equal("unavailable", code)
    assert.matches("it hasn't ended after 60 s", message)
  end)

  it("need a line that names a program", function()
    assert.are.equal("configuration", select(3, fetch '"/bin/keys'))
    assert.are.equal("configuration", select(3, fetch '"" x'))
    assert.are.equal("configuration", select(3, fetch " "))
  end)

  describe("for real", function()
    after_each(support.clean)

    it("come from a program that has this process's environment", function()
      local directory = support.directory()
      directory:write("keys", [[#!/bin/sh
echo topsecret >&2
[ -n "$PATH" ] || exit 3
printf '{"Version":1,"AccessKeyId":"%s","SecretAccessKey":"%s"}' "$1" "$2"
]], { mode = tonumber("755", 8) })
      local context = require("submitter.aws.session").new({ getenv = function() end }).context
      local found = assert(process.fetch(context, ('"%s/keys" "A$HOME" s'):format(directory:path()), "x"))
      assert.are.equal("A$HOME", found.access_key_id)
      local _, message, code = process.fetch(context, directory:path() .. "/none", "x")
      assert.are.equal("configuration", code)
      assert.matches("can't be run", message)
    end)
  end)
end)
