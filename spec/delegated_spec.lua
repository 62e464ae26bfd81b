local host = require "submitter.host"
local support = require "spec.support"

local script = (debug.getinfo(1, "S").source:match "^@(.*)/[^/]*$" or "spec") .. "/delegated.sh"

-- Stands for systemd's: notes its arguments, and refuses or runs the command as the real one would, in the same process.
local answers = [[
#!/bin/sh
echo "$*" >>"$NOTES"
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
]]
local refuses = [[
#!/bin/sh
echo "$*" >>"$NOTES"
echo "Failed to connect to bus" >&2
exit 1
]]

describe("spec/delegated.sh", function()
  local folder

  before_each(function() folder = support.directory() end)
  after_each(function()
    folder:close()
    support.clean()
  end)

  local function stand_in(name, text)
    assert(folder:write("bin/" .. name, text, { parents = true, mode = tonumber("755", 8) }))
  end

  --- What a command in it prints, and what systemd-run was asked for. Programs of bin/ are found first. The control group that
  --- awk and sed find there, where the script looks for its own, is a folder.
  local function run(user_id, options)
    stand_in("id", ("#!/bin/sh\necho %d\n"):format(user_id))
    stand_in("awk", ("#!/bin/sh\necho %s/hierarchy\n"):format(folder:path()))
    stand_in("sed", "#!/bin/sh\necho /scope\n")
    assert(folder:make("hierarchy/scope", { parents = true }))
    local environment = {
      PATH = folder:path() .. "/bin:/usr/bin:/bin", NOTES = folder:path() .. "/notes", SUBMITTER_SCOPE = options.scope,
    }
    local ended = assert(host.child.run {
      program = "/bin/sh",
      arguments = { script, "sh", "-c", 'echo "$1 ${SUBMITTER_SCOPE-none}"; exit 7', "sh", "two words" },
      environment = environment,
    })
    assert.are.equal(7, ended.exit_code, ended.stderr)
    return ended.stdout, folder:read "notes"
  end

  it("runs the command of root as it is", function()
    stand_in("systemd-run", answers)
    local said, asked = run(0, {})
    assert.are.equal("two words none\n", said)
    assert.is_nil(asked)
  end)

  it("starts an ordinary user's in a delegated scope, once it is known that there can be one", function()
    stand_in("systemd-run", answers)
    local said, asked = run(1000, {})
    assert.are.equal("two words entered\n", said)
    local first, second, more = asked:match "^([^\n]*)\n([^\n]*)\n(.*)$"
    for _, line in ipairs { first, second } do
      for _, word in ipairs { "--user", "--scope", "--property=Delegate=yes" } do
        assert.truthy(line:find(word, 1, true), line)
      end
    end
    assert.truthy(first:find " %-%- true$", first)
    assert.truthy(second:find(" -- " .. script .. " sh -c ", 1, true), second)
    assert.are.equal("", more)
    -- And that it is in a leaf there.
    assert.truthy(folder:read "hierarchy/scope/host/cgroup.procs":find "^%d+\n$")
  end)

  it("runs it where the user has no manager that answers", function()
    stand_in("systemd-run", refuses)
    local said, asked = run(1000, {})
    assert.are.equal("two words none\n", said)
    assert.truthy(asked:find "^[^\n]*true\n$", asked)
    assert.are.same({}, folder:list "hierarchy/scope")
  end)

  it("makes no scope within a scope", function()
    stand_in("systemd-run", answers)
    local said, asked = run(1000, { scope = "entered" })
    assert.are.equal("two words entered\n", said)
    assert.is_nil(asked)
    assert.are.same({}, folder:list "hierarchy/scope")
  end)

  it("wants a command", function()
    local ended = assert(host.child.run { program = "/bin/sh", arguments = { script } })
    assert.are.equal(2, ended.exit_code)
    assert.truthy(ended.stderr:find("usage", 1, true))
  end)
end)
