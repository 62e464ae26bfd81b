local core = require "core.support"
local host = require "submitter.host"
local support = require "support"

--- What a script's log lines were.
local function logged(text)
  local result = core.script("local log = require 'submitter.core.log' " .. text)
  assert.are.equal(0, result.exit_code, result.stderr)
  assert.are.equal("", result.stdout)
  return result.stderr
end

describe("core.log", function()
  after_each(support.clean)

  it("writes JSON where there is no terminal", function()
    local line = logged [[log.info("submission_published", { subid = "ab", count = 3, ratio = 0.5, good = true })]]
    assert.matches('^{"time":"%d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z","level":"info","event":"submission_published","count":3,'
      .. '"good":true,"ratio":0.5,"subid":"ab"}\n$', line)
    assert.is_table(host.json.decode(line))
  end)

  it("keeps a line one line, whatever is in it", function()
    local text = logged [[log.warn("a\nb", { ["k\n\"y"] = "v\n\27[31m\0\"\\\xff" })]]
    local line = assert(host.json.decode(text))
    assert.are.equal(1, select(2, text:gsub("\n", "")))
    assert.is_nil(text:find("\27", 1, true))
    assert.are.equal("a\nb", line.event)
    assert.are.equal("v\n\27[31m\0\"\\\u{FFFD}", line['k\n"y'])
  end)

  it("shows other values by their types, and numbers JSON can't hold as null", function()
    local line = assert(host.json.decode(logged [[
      log.error("x", { f = print, t = {}, n = 0 / 0, i = 1 / 0, m = math.mininteger })]]))
    assert.are.equal("function", line.f)
    assert.are.equal("table", line.t)
    assert.are.equal(host.json.null, line.n)
    assert.are.equal(host.json.null, line.i)
    assert.are.equal(math.mininteger, line.m)
    assert.are.equal("error", line.level)
  end)

  it("leaves out what is below the level", function()
    local function events(text)
      local found = {}
      for event in logged(text):gmatch('"event":"(%w+)"') do found[#found + 1] = event end
      return table.concat(found, " ")
    end
    local all = "log.debug 'd' log.info 'i' log.warn 'w' log.error 'e'"
    assert.are.equal("i w e", events(all))
    assert.are.equal("d i w e", events("log.configure { level = 'debug' } " .. all))
    assert.are.equal("w e", events("log.configure { level = 'warn' } " .. all))
    assert.are.equal("e", events("log.configure { level = 'error' } " .. all))
    assert.are.equal("i w e", events("log.configure { level = 'error' } log.configure {} " .. all))
  end)

  it("has a human form", function()
    assert.matches("^%d%d:%d%d:%d%d info  started  count=3  name=a b\n$",
      logged [[log.configure { format = "human" } log.info("started", { name = "a b", count = 3 })]])
  end)

  it("has no control characters in the human form, and nothing that passes for another line", function()
    local text = logged [[
      log.configure { format = "human" }
      log.info("a\27[31m\nb", { ["k\27\n"] = "one\n12:00:00 error forged\r\27[2K", other = "\xff\u{202e}" })]]
    assert.is_nil(text:find("[%z\1-\9\11-\31\127\xff]"))
    local lines = {}
    for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.are.equal(2, #lines)
    assert.matches("^    12:00:00", lines[2])
    assert.matches("\\u{202e}", lines[2], 1, true)
  end)

  it("goes on when nobody reads", function()
    local result = core.program({ "run", "-" }, { input = [[
      local log = require "submitter.core.log"
      io.stderr:close()
      log.info "x"
      print "alive"]] })
    assert.are.equal("alive\n", result.stdout)
    assert.are.equal(0, result.exit_code)
  end)

  it("writes lines of many tasks whole", function()
    local text = logged [[
      for number = 1, 200 do
        task.spawn("t", function() log.info("e", { text = ("x"):rep(5000), number = number }) end)
      end
      clock.sleep_ms(5)]]
    local count = 0
    for line in text:gmatch("[^\n]+") do
      count = count + 1
      assert.are.equal(5000, #assert(host.json.decode(line)).text)
    end
    assert.are.equal(200, count)
  end)

  it("refuses misuse", function()
    local log = host.log
    assert.error_matches(function() log.info() end, "string expected")
    assert.error_matches(function() log.info("x", "y") end, "table expected")
    assert.error_matches(function() log.info("x", { "y" }) end, "names of fields are strings, not a number")
    assert.error_matches(function() log.configure { level = "loud" } end, 'level "loud" is unknown')
    assert.error_matches(function() log.configure { format = "xml" } end, 'format "xml" is unknown')
    assert.error_matches(function() log.configure { colour = true } end, 'unknown option "colour"')
  end)
end)
