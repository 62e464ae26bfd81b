local environment = require "submitter.policy.environment"

local function load(text) return environment.load(text, "a/b.lua") end

describe("a policy file", function()
  it("returns a table", function()
    assert.are.same({ points = 2 }, load "return { points = 2 }")
    assert.are.same({ points = 3 }, load "\xEF\xBB\xBFlocal x = 1\nreturn { points = x + 2 }")
  end)

  it("is named with the line of a mistake", function()
    for _, text in ipairs { "\nreturn {", "\nerror 'x'", "\nreturn nothing.at_all" } do
      local value, message = load(text)
      assert.is_nil(value)
      assert.matches("a/b.lua:2: ", message, 1, true)
    end
  end)

  it("is refused when it returns something else", function()
    for _, text in ipairs { "", "return nil", "return 1", "return function() end" } do
      local value, message = load(text)
      assert.is_nil(value)
      assert.matches("a/b.lua: a policy returns a table", message, 1, true)
    end
  end)

  it("has bounded mistakes", function()
    for _, text in ipairs { "error(('x'):rep(1000000))", "return " .. ("x"):rep(1000000) .. " y" } do
      local value, message = load(text)
      assert.is_nil(value)
      assert.is_true(#message <= 1000)
    end
    local policy = assert(load "return { f = function() error(('x'):rep(1000000)) end }")
    assert.is_true(#select(2, environment.call("f", policy.f)) < 1100)
  end)

  it("is ended when it doesn't end", function()
    for _, text in ipairs {
      "while true do end", "::again:: goto again", "local function f() return f() end return f()",
    } do
      local value, message = load(text)
      assert.is_nil(value)
      assert.matches("a/b.lua: takes longer to load", message, 1, true)
    end
  end)

  it("is no bytecode", function()
    local value, message = load(string.dump(function() return {} end))
    assert.is_nil(value)
    assert.matches("binary chunk", message, 1, true)
  end)

  it("sees nothing that reaches out, loads code, catches errors or remembers", function()
    for _, name in ipairs {
      "io", "os", "debug", "package", "require", "load", "loadstring", "loadfile", "dofile", "pcall", "xpcall",
      "coroutine", "collectgarbage", "getmetatable", "setmetatable", "rawget", "rawset", "rawequal", "rawlen", "print",
      "warn", "_G", "arg", "string.dump", "string.pack", "string.unpack", "math.random", "math.randomseed",
    } do
      assert.are.same({ found = "nil" }, load(("return { found = type(%s) }"):format(name)), name)
    end
  end)

  it("sees what grading needs", function()
    assert.are.same({ "6", 3, "b,a", 2, "é", 1.5 }, load [[
      local list = { "b", "a" }
      return { ("%d"):format(6), #("abc"), table.concat(list, ","), select("#", 1, 2), utf8.char(233), math.abs(-1.5) }
    ]])
  end)

  it("changes nothing for the next", function()
    load "string.sub = nil; math.pi = 3; table.concat = nil; x = 1; return {}"
    assert.are.same({ "b", "number", "function", "nil" },
      load "return { ('abc'):sub(2, 2), math.type(math.pi) == 'float' and 'number', type(table.concat), type(x) }")
    assert.are.equal("function", type(string.sub))
    assert.is_nil(rawget(_G, "x"))
  end)

  it("has bounds where one call could take for ever", function()
    for _, text in ipairs {
      "return { ('x'):rep(1e9) }", "return { ('x'):rep('0x40000000') }", "return { string.rep('x', 1 << 40) }",
      "return { ('x'):rep(2, ('y'):rep(1 << 20)) }",
      "return { table.move({}, 1, 1e9, 2) }", "return { table.move({}, math.mininteger, math.maxinteger, 2) }",
      "return { ('x'):rep(1 << 20):gsub('.', ('y'):rep(1 << 10)) }",
      "return { ('x'):rep(400):find('.-.-.-y') }", "return { string.match(('x'):rep(400), '.*.*.*y') }",
      "for _ in ('x'):rep(1000):gmatch('.-.-y') do end return {}", "return { ('x'):rep(400):gsub('.-.-.-y', '') }",
      "return { ('('):rep(1 << 14):find('%b()') }",
    } do
      local value, message = load(text)
      assert.is_true(value == nil, text)
      assert.matches("than", message, 1, true)
    end
    assert.is_truthy(load "return { ('ab'):rep(1000, ','), ('x'):rep(-1), ('x'):rep(1 << 20):find('y', 1, true) }")
    assert.are.same({ "word", 1048576 },
      load "local s = ('x'):rep(1 << 20) return { ('  word '):match('^%s*(.-)%s*$'), #s:match('x+') }")
    assert.are.same({ { 1, 1, 2 } }, load "return { table.move({ 1, 2 }, 1, 2, 2) }")
  end)

  it("leaves the strings of the host as they are", function()
    load "return {}"
    load "error 'x'"
    load "while true do end"
    assert.are.equal(string, getmetatable("").__index)
    assert.are.equal(2000000, #("x"):rep(2000000))
  end)
end)

describe("a policy's function", function()
  it("gets arguments and gives results", function()
    local policy = assert(load "return { f = function(a, b) return a + b, 'note' end }")
    assert.are.same({ true, 5, "note" }, { environment.call("f", policy.f, 2, 3) })
  end)

  it("fails with its name", function()
    local policy = assert(load "return { f = function() error('no', 0) end, g = function() error({}) end }")
    assert.are.same({ nil, "policy x: f: no", true }, { environment.call("policy x: f", policy.f) })
    local done, message = environment.call("policy x: g", policy.g)
    assert.is_nil(done)
    assert.matches("^policy x: g: ", message)
  end)

  it("is ended when it doesn't end", function()
    local policy = assert(load "return { f = function() while true do end end }")
    local done, message, said = environment.call("f", policy.f)
    assert.is_nil(done)
    assert.matches("f: takes longer than a policy may", message, 1, true)
    assert.is_false(said)
  end)

  it("can't fall without end either", function()
    local policy = assert(load "local function f() return 1 + f() end return { f = f }")
    assert.is_nil(environment.call("f", policy.f))
  end)
end)
