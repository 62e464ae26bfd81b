--- What docker/lambda/package.sh makes runs with nothing of this machine's but the shell that starts it.
local host = require "submitter.host"
local notify = require "submitter.notify"
local runtime_api = require "spec.fake.runtime_api"
local support = require "spec.cli.support"

local tree = support.fixtures .. "/../.."
local script = tree .. "/docker/lambda/package.sh"
local build = host.system.executable():match "^(.*)/[^/]*$"

describe("the package for Lambda", function()
  local folder, api
  before_each(function() folder, api = support.folder(), runtime_api.open() end)
  after_each(function()
    api:close()
    folder.remove_all()
  end)

  it("holds all that the function loads", function()
    local root = folder.path .. "/task"
    local made = assert(host.child.run { program = script, arguments = { build, root },
      environment = { PATH = "/usr/sbin:/usr/bin:/sbin:/bin", TMPDIR = folder.path } })
    assert.equal(0, made.exit_code, made.stderr)
    assert.equal(root .. "\n", made.stdout)
    local child <close> = assert(host.child.start {
      program = root .. "/bootstrap",
      environment = { LAMBDA_TASK_ROOT = root, AWS_LAMBDA_RUNTIME_API = api.address, SUBMITTER_VAR = folder.var },
    })
    local subid = ("0"):rep(32)
    local id = api:invoke(host.json.encode(notify.records(("a/e/s/%s/%s.json"):format(subid, subid))))
    assert.same({ kind = "response", body = { queued = 1, skipped = 0 } }, api:outcome(id))
    assert.same({}, api:state().violations)

    local maps = assert(io.open(("/proc/%d/maps"):format(child:pid())))
    local loaded = 0
    for line in maps:lines() do
      -- Code; a locale of the machine's, where there is one, is only data.
      local path = line:match "^%S+ ..x.*%s(/%S+)$"
      if path then
        loaded = loaded + 1
        assert.equal(root .. "/", path:sub(1, #root + 1))
      end
    end
    maps:close()
    assert.is_true(loaded > 10)

    -- What this one had no use for: credentials by a role.
    folder:write("role.lua", [[require "submitter.aws.sts" print(package.searchpath("lxp", package.cpath))]])
    local role = assert(host.child.run {
      program = root .. "/lib/loader",
      arguments = { "--library-path", root .. "/lib", root .. "/bin/submitter", "run", folder.path .. "/role.lua" },
      environment = {
        LUA_PATH = root .. "/lua/?.lua;" .. root .. "/lua/?/init.lua", LUA_CPATH = root .. "/lib/lua/?.so",
      },
    })
    assert.equal(root .. "/lib/lua/lxp.so\n", role.stdout, role.stderr)
  end)
end)
