local key = require "submitter.key"
local lookup = require "submitter.policy.lookup"
local support = require "spec.support"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"

local function location(admin, event, assignment)
  return assert(key.location(admin, event, assignment, subid))
end

local function names_of(files)
  local names = {}
  for index, file in ipairs(files) do names[index] = file.name end
  return names
end

describe("the files of a policy", function()
  after_each(support.clean)

  it("go from the general to the special", function()
    assert.are.same({ "default.lua", "a.lua", "a/e.lua", "a/e/s.lua" }, lookup.names(location("a", "e", "s")))
    assert.are.same({ "default.lua" }, lookup.names(nil))
  end)

  it("count once", function()
    assert.are.same({ "default.lua", "default/e.lua", "default/e/s.lua" }, lookup.names(location("default", "e", "s")))
  end)

  it("are those that are there", function()
    local directory = support.directory()
    assert.are.same({}, lookup.read(directory, location("a", "e", "s")))
    assert(directory:write("a/e/s.lua", "three", { parents = true }))
    assert(directory:write("default.lua", "one"))
    assert(directory:write("b.lua", "other"))
    assert.are.same({ { name = "default.lua", text = "one" }, { name = "a/e/s.lua", text = "three" } },
      lookup.read(directory, location("a", "e", "s")))
  end)

  it("are absent where a name is a file in the place of a folder, or too long", function()
    local directory = support.directory()
    assert(directory:write("a.lua", "one"))
    assert(directory:write("b", "two"))
    assert.are.same({ "a.lua" }, names_of(assert(lookup.read(directory, location("a", "e.lua", ("s"):rep(255))))))
    assert.are.same({}, lookup.read(directory, location("b", "e", "s")))
    assert.are.same({}, lookup.read(directory, location("c", "…", "\xff\xfe")))
  end)

  it("are absent where a folder has that name", function()
    local directory = support.directory()
    assert(directory:write("a.lua/e/s.lua", "another admin's", { parents = true }))
    assert(directory:write("a/e.lua/s.lua", "another event's", { parents = true }))
    assert(directory:write("a/e/s.lua", "his", { parents = true }))
    assert.are.same({ "a/e/s.lua" }, names_of(assert(lookup.read(directory, location("a", "e", "s")))))
  end)

  it("are mistakes where they are too large, or no files at all", function()
    local directory = support.directory()
    assert(directory:write("a.lua", ("-"):rep(262145)))
    support.make_special("/usr/bin/mkfifo", { directory:path() .. "/b.lua" })
    for _, admin in ipairs { "a", "b" } do
      local files, message, code = lookup.read(directory, location(admin, "e", "s"))
      assert.is_nil(files)
      assert.matches(admin .. ".lua: ", message, 1, true)
      assert.are.equal("policy", code)
    end
  end)

  it("never lie outside of the folder", function()
    local outer = support.directory()
    local directory = assert(outer:open("policy", { create = true }))
    assert(outer:write("secret.lua", "return {}"))
    support.make_special("/bin/ln", { "-s", "../secret.lua", directory:path() .. "/a.lua" })
    local files, message = lookup.read(directory, location("a", "e", "s"))
    assert.is_nil(files)
    assert.matches("^a.lua: ", message)
  end)

  it("may be links within the folder", function()
    local directory = support.directory()
    assert(directory:write("..data/a.lua", "linked", { parents = true }))
    support.make_special("/bin/ln", { "-s", "..data/a.lua", directory:path() .. "/a.lua" })
    assert.are.same({ { name = "a.lua", text = "linked" } }, lookup.read(directory, location("a", "e", "s")))
  end)
end)
