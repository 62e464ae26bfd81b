local host = require "submitter.host"
local key = require "submitter.key"
local policy = require "submitter.policy"
local support = require "spec.support"

local fake = require "spec.fake.grading"

local location = assert(key.location("a", "e", "s", fake.subid))

local function load(files, options)
  options = options or {}
  options.location = location
  options.directory = fake.policies(files)
  return policy.load(options)
end

local function of(text) return assert(load { ["default.lua"] = "return {" .. text .. "}" }) end

local case = { number = 2, name = nil, form = "line", input = "1 2", expected = " 3 " }

describe("the shipped policy", function()
  it("is the design's", function()
    local shipped = assert(policy.shipped())
    assert.are.same({
      cpu_ms = 2000, wall_ms = 6000, memory_bytes = 256 << 20, output_bytes = 1 << 20, processes = 16,
      file_bytes = 16 << 20,
    }, shipped.limits)
    assert.are.equal("words", shipped.input)
    assert.is_true(shipped:compare("3\n", " 3", case, "test"))
    assert.are.equal(1, shipped:points(case, "test"))
    assert.are.same({ input = true, expected = true, actual = true, stderr = true }, shipped:show(case, "test"))
    assert.is_false(shipped:show(case, "grade"))
    assert.are.same({ "grade", "any", "latest" }, { shipped.late, shipped.tokens, shipped.counts })
    assert.is_true(shipped:publishes "csv")
    assert.is_true(shipped:publishes "json")
    assert.are.equal("shipped default", shipped.name)
    assert.are.equal(64, #shipped.sha256)
  end)

  it("is lowered to the operator's ceilings", function()
    local lowered = assert(policy.load { ceilings = { memory_bytes = 64 << 20, cpu_ms = 60000 } })
    assert.are.equal(64 << 20, lowered.limits.memory_bytes)
    assert.are.equal(2000, lowered.limits.cpu_ms)
    assert.are.equal(256 << 20, assert(policy.shipped()).limits.memory_bytes)
  end)
end)

describe("the lookup", function()
  after_each(support.clean)

  it("lays the special over the general, field by field", function()
    local loaded = assert(load {
      ["default.lua"] = 'return { limits = { cpu = "1s", processes = 1 }, input = "line", points = 1 }',
      ["a.lua"] = 'return { limits = { cpu = "3s" }, points = 2, show = { grade = true } }',
      ["a/e.lua"] = "return { points = 3 }",
      ["a/e/s.lua"] = "return { points = 4 }",
      ["b.lua"] = "return { points = 5 }",
    })
    assert.are.equal(3000, loaded.limits.cpu_ms)
    assert.are.equal(1, loaded.limits.processes)
    assert.are.equal(6000, loaded.limits.wall_ms)
    assert.are.equal("line", loaded.input)
    assert.are.equal(4, loaded:points(case, "test"))
    assert.is_truthy(loaded:show(case, "grade"))
    assert.is_truthy(loaded:show(case, "test"))
    assert.are.equal("a/e/s.lua", loaded.name)
  end)

  it("has the most special choice of a runner, of those that are allowed", function()
    local runners = { "default", "heavy" }
    local files = { ["a.lua"] = 'return { runner = "heavy" }', ["a/e.lua"] = 'return { runner = "default" }' }
    local loaded = assert(load(files, { runners = runners }))
    assert.are.equal("default", loaded.runner)
    files["a/e.lua"] = nil
    local heavy = assert(load(files, { runners = runners }))
    assert.are.equal("heavy", heavy.runner)
    assert.are_not.equal(loaded.sha256, heavy.sha256)
    assert.is_nil(assert(policy.shipped()).runner)
    local none, message, code = load(files, { runners = { "default" } })
    assert.are.same({ "nil", "policy" }, { tostring(none), code })
    assert.matches('a.lua: runner: "heavy" is none that the operator allows', message, 1, true)
  end)

  it("reads the files anew each time", function()
    local files = { ["a.lua"] = "return { points = 2 }" }
    local before = assert(load(files))
    files["a.lua"] = "return { points = 3 }"
    local after = assert(load(files))
    assert.are.equal(2, before:points(case, "test"))
    assert.are.equal(3, after:points(case, "test"))
    assert.are_not.equal(before.sha256, after.sha256)
  end)

  it("hashes names and contents of all files that counted", function()
    local one = assert(load { ["a.lua"] = "return { points = 2 }" }).sha256
    assert.are.equal(one, assert(load { ["a.lua"] = "return { points = 2 }", ["b.lua"] = "return {}" }).sha256)
    assert.are_not.equal(one, assert(load { ["a/e.lua"] = "return { points = 2 }" }).sha256)
    assert.are_not.equal(one, assert(load { ["a.lua"] = "return { points = 2 } " }).sha256)
    assert.are_not.equal(one, assert(load { ["a.lua"] = "return { points = 2 }", ["a/e.lua"] = "return {}" }).sha256)
    assert.are_not.equal(one, assert(policy.shipped()).sha256)
  end)

  it("takes files that were handed over last", function()
    local loaded = assert(load({ ["a/e/s.lua"] = "return { points = 4 }" }, {
      files = { { name = "mine.lua", text = "return { points = 7 }" } },
    }))
    assert.are.equal(7, loaded:points(case, "test"))
    assert.are.equal("mine.lua", loaded.name)
  end)

  it("names file and field of a mistake", function()
    local loaded, message, code = load { ["a/e.lua"] = "return { limit = {} }" }
    assert.is_nil(loaded)
    assert.are.equal("policy", code)
    assert.matches("a/e.lua: limit: unknown field", message, 1, true)
    local greedy = { ["a.lua"] = 'return { limits = { cpu = "2m" } }' }
    loaded, message, code = load(greedy, { ceilings = { cpu_ms = 60000 } })
    assert.is_nil(loaded)
    assert.are.equal("policy", code)
    assert.matches("a.lua: limits.cpu: 2m is more than the 1m", message, 1, true)
    assert.matches("a.lua:1:", select(2, load { ["a.lua"] = "return {" }), 1, true)
  end)

  it("says that a file can't be read", function()
    local directory = fake.policies {}
    local real = host.file.directory
    finally(support.replace(host.file, { directory = function(path)
      return support.disguise(assert(real(path)), { read = function() return nil, "input/output error", "EIO" end })
    end }))
    assert(policy.shipped())
    local loaded, message, code = policy.load { directory = directory }
    assert.is_nil(loaded)
    assert.are.equal("unavailable", code)
    assert.matches("default.lua: input/output error", message, 1, true)
  end)

  it("sees a folder that was put in the place of the one that was opened", function()
    local outer = support.directory()
    assert(outer:write("policy/default.lua", "return { points = 2 }", { parents = true }))
    local directory = assert(outer:open "policy")
    assert(outer:rename("policy", "old"))
    assert(outer:write("policy/default.lua", "return { points = 3 }", { parents = true }))
    assert.are.equal(3, assert(policy.load { directory = directory }):points(case, "test"))
    assert(outer:remove_tree "policy")
    assert(outer:remove_tree "old")
    local loaded, message, code = policy.load { directory = directory }
    assert.is_nil(loaded)
    assert.are.equal("unavailable", code)
    assert.matches("the policy directory can't be opened", message, 1, true)
  end)

  it("knows its options", function()
    assert.has_error(function() policy.load { path = "x" } end)
  end)
end)

describe("compare", function()
  after_each(support.clean)

  it("says what differs", function()
    assert.are.same({ false, 'line 1: expected "3", got "4"' }, { of(""):compare("4\n", " 3 \n", case, "test") })
    assert.is_false((of 'compare = "exact"':compare("3", " 3", case, "test")))
    assert.is_true((of 'compare = "exact"':compare("3\n", "3", case, "test")))
  end)

  it("gives a function what is reported, and the untouched output", function()
    local chosen = of [[compare = function(actual, expected, case)
      local known = { actual, expected, case.output, case.input, case.expected, case.number, case.mode }
      return false, table.concat(known, "|")
    end]]
    assert.are.same({ false, " \n3|3| \n3 \n|1 2| 3 |2|grade" },
      { chosen:compare(" \n3 \n", " 3 ", case, "grade") })
  end)

  it("lets a function change nothing of ours", function()
    local chosen = of "compare = function(actual, expected, case) case.input, case.number = nil, 99 return true end"
    assert.is_true((chosen:compare("3", "3", case, "test")))
    assert.are.equal("1 2", case.input)
    assert.are.equal(2, case.number)
  end)

  it("checks what a function returns, and cuts its note", function()
    for _, text in ipairs { "1", "nil", "'yes'", "true, 5", "false, {}" } do
      local pass, message, code = of("compare = function() return " .. text .. " end"):compare("3", "3", case, "test")
      assert.is_nil(pass)
      assert.are.equal("policy", code)
      assert.matches("policy default.lua: compare: returned", message, 1, true)
    end
    local _, note = of "compare = function() return false, ('x'):rep(10000) end":compare("3", "3", case, "test")
    assert.are.equal(500, #note)
  end)

  it("fails where a function fails or doesn't end", function()
    for _, text in ipairs { "error('no')", "while true do end" } do
      local pass, message, code = of("compare = function() " .. text .. " end"):compare("3", "3", case, "test")
      assert.is_nil(pass)
      assert.are.equal("policy", code)
      assert.matches("policy default.lua: compare: ", message, 1, true)
    end
  end)

  it("has a message without the function's own words, for students", function()
    local secret = "error(case.expected)"
    for text, field in pairs {
      ["compare = function(_, _, case) " .. secret .. " end"] = "compare",
      ["points = function(case) " .. secret .. " end"] = "points",
      ["points = function(case) return case.expected end"] = "points",
      ["show = function(case) " .. secret .. " end"] = "show",
      ["show = function(case) return case.expected end"] = "show",
    } do
      local chosen, odd = of(text), { number = 2, form = "line", input = "1 2", expected = "secret" }
      local arguments = field == "compare" and { "3", "secret", odd, "grade" } or { odd, "grade" }
      local _, message, code, told = chosen[field](chosen, table.unpack(arguments))
      assert.are.equal("policy", code)
      assert.matches("secret", message, 1, true)
      assert.are.equal(("policy default.lua: %s: it failed for a case; its author finds the reason in the log"):format(
        field), told)
    end
    local _, message, _, told = of("points = function() while true do end end"):points(case, "test")
    assert.are.equal(message, told)
  end)

  it("remembers within one submission only", function()
    local files = { ["a.lua"] = "local n = 0 return { points = function() n = n + 1 return n end }" }
    local one = assert(load(files))
    assert.are.equal(1, one:points(case, "test"))
    assert.are.equal(2, one:points(case, "test"))
    assert.are.equal(1, assert(load(files)):points(case, "test"))
  end)
end)

describe("points", function()
  after_each(support.clean)

  it("are a number or what a function says of the case", function()
    assert.are.equal(0.5, of "points = 0.5":points(case, "test"))
    assert.are.equal(20, of "points = function(case) return case.number * 10.0 end":points(case, "test"))
    assert.are.equal("integer", math.type(of "points = function(case) return 2.0 end":points(case, "test")))
  end)

  it("are checked", function()
    for _, text in ipairs { "-1", "'1'", "nil", "0/0", "1e9", "{}" } do
      local points, message, code = of("points = function() return " .. text .. " end"):points(case, "test")
      assert.is_nil(points, text)
      assert.are.equal("policy", code)
      assert.matches("policy default.lua: points: returned", message, 1, true)
    end
  end)
end)

describe("a case's own points", function()
  after_each(support.clean)

  it("are what it is worth while no policy says anything", function()
    local shipped = assert(policy.shipped())
    assert.are.equal(2.5, shipped:points({ number = 1, form = "line", points = 2.5 }, "test"))
    assert.are.equal(0, shipped:points({ number = 1, form = "line", points = 0 }, "grade"))
    assert.are.equal(1, shipped:points({ number = 1, form = "line" }, "grade"))
    assert.are.equal(7, of 'compare = "exact"':points({ number = 1, form = "line", points = 7 }, "test"))
  end)

  it("give way to a policy, whose function knows them", function()
    local own = { number = 1, form = "line", points = 3 }
    assert.are.equal(1, of "points = 1":points(own, "test"))
    local doubled = of "points = function(case) return 2 * (case.points or 1) end"
    assert.are.equal(6, doubled:points(own, "test"))
    assert.are.equal(2, doubled:points(case, "test"))
  end)
end)

describe("a case's own visibility", function()
  after_each(support.clean)

  local everything = { input = true, expected = true, actual = true, stderr = true }

  local function own(visibility) return { number = 1, form = "line", visibility = visibility } end

  it("is what students see while no policy says anything", function()
    local shipped = assert(policy.shipped())
    assert.is_false(shipped:show(own "hidden", "test"))
    assert.is_false(shipped:show(own "after_due", "test"))
    assert.are.same(everything, shipped:show(own "visible", "grade"))
    assert.are.same(everything, shipped:show(own(nil), "test"))
    assert.is_false(shipped:show(own(nil), "grade"))
  end)

  it("gives way to a policy, for the mode of which that speaks", function()
    assert.are.same(everything, of 'show = "visible"':show(own "hidden", "test"))
    local tests_only = of 'show = { test = "hidden" }'
    assert.is_false(tests_only:show(own "visible", "test"))
    assert.are.same(everything, tests_only:show(own "visible", "grade"))
    assert.are.same(everything,
      of [[show = function(case) return case.visibility == "hidden" end]]:show(own "hidden", "grade"))
  end)

  it("is asked case by case where any has one", function()
    local shipped = assert(policy.shipped())
    assert.are.same(everything, shipped:show_every("test", { own(nil), own(nil) }))
    assert.is_false(shipped:show_every("grade", {}))
    assert.is_nil(shipped:show_every("test", { own(nil), own "visible" }))
    assert.is_false(of "show = false":show_every("test", { own "visible" }))
    assert.is_nil(of "show = function() return true end":show_every("test", {}))
  end)
end)

describe("show", function()
  after_each(support.clean)

  it("is a word, a boolean or a table of parts", function()
    local everything = { input = true, expected = true, actual = true, stderr = true }
    assert.are.same(everything, of 'show = "visible"':show(case, "grade"))
    assert.are.same(everything, of "show = true":show(case, "grade"))
    assert.is_false(of 'show = "hidden"':show(case, "test"))
    assert.is_false(of "show = false":show(case, "test"))
    assert.is_false(of 'show = "after_due"':show(case, "test"))
    assert.are.same({ input = true, expected = false, actual = true, stderr = true },
      of "show = { expected = false }":show(case, "test"))
  end)

  it("is what a function says of the case", function()
    local chosen = of [[show = function(case)
      if case.mode == "grade" then return false end
      return case.number == 2 and { input = case.verdict == "AC" } or "hidden"
    end]]
    assert.is_false(chosen:show(case, "grade"))
    assert.is_false(chosen:show({ number = 1, form = "line" }, "test"))
    assert.is_false(chosen:show({ number = 2, form = "line", verdict = "WA" }, "test").input)
    assert.is_true(chosen:show({ number = 2, form = "line", verdict = "AC" }, "test").input)
  end)

  it("is checked", function()
    for _, text in ipairs { "nil", "1", "'seen'", "{ inputs = true }", "function() end" } do
      local shown, message, code = of("show = function() return " .. text .. " end"):show(case, "test")
      assert.is_nil(shown, text)
      assert.are.equal("policy", code)
      assert.matches("policy default.lua: show: for case 2: ", message, 1, true)
    end
  end)
end)

describe("publish", function()
  after_each(support.clean)

  it("names the reports", function()
    assert.is_false(of 'publish = { "json" }':publishes "csv")
    assert.is_false(of "publish = {}":publishes "json")
  end)
end)

it("arguments are what the input says", function()
  assert.are.same({ arguments = { "1 2" } }, of 'input = "line"':arguments(case))
end)

it("the shipped file stands where the host looks", function()
  assert.is_truthy(host.file.directory(host.system.lua_directory() .. "/policy"))
end)
