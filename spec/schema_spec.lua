local host = require "submitter.host"
local schema = require "submitter.schema"

local description = {
  type = "table",
  fields = {
    { name = "var", type = "string", default = "./var", text = "A folder." },
    { name = "slots", type = "integer", range = { 1, 8 }, default = function() return 3 end,
      default_text = "processors", text = "How many." },
    { name = "ratio", type = "number", range = { 0, nil } },
    { name = "kind", type = "enum", values = { "sandbox", "container" }, default = "sandbox" },
    { name = "visibility", type = "duration_ms", default = "30s", range = { "1s", "12h" } },
    { name = "retry", type = "duration_ms", as = "retry_after_ms" },
    { name = "on", type = "boolean", default = true },
    { name = "points", type = "function" },
    { name = "tags", type = "list", of = { type = "string" }, length = { nil, 3 } },
    { name = "show", type = "union", of = {
      { type = "boolean" },
      { type = "enum", values = { "visible", "hidden" } },
      { type = "table", fields = { { name = "test", type = "boolean", default = false } } },
    } },
    { name = "limits", type = "table", text = "Limits.", fields = {
      { name = "cpu", type = "duration_ms", default = "2s", range = { 1, "60s" }, text = "Time." },
      { name = "memory", type = "size_bytes", default = "256M", range = { "16M", "1G" } },
    } },
    { name = "mail", type = "table", optional = true, fields = { { name = "to", type = "string", required = true } } },
  },
}

local function problem(value, options)
  local result, message, code, errors = schema.check(description, value, options)
  assert.is_nil(result)
  assert.are.equal("schema", code)
  return message, errors
end

describe("schema.check", function()
  it("fills in defaults and reads units", function()
    assert.are.same({
      var = "./var", slots = 3, kind = "sandbox", visibility_ms = 30000, on = true,
      limits = { cpu_ms = 2000, memory_bytes = 256 << 20 },
    }, schema.check(description, {}))
  end)

  it("returns what was given", function()
    local points = function() return 1 end
    local given = {
      var = "/srv", slots = 8, ratio = 0.5, kind = "container", visibility = "12h", retry = "250ms", on = false,
      points = points, tags = { "a", "b" }, show = "hidden", limits = { memory = "16M" }, mail = { to = "x" },
    }
    assert.are.same({
      var = "/srv", slots = 8, ratio = 0.5, kind = "container", visibility_ms = 12 * 3600 * 1000, retry_after_ms = 250,
      on = false, points = points, tags = { "a", "b" }, show = "hidden",
      limits = { cpu_ms = 2000, memory_bytes = 16 << 20 }, mail = { to = "x" },
    }, schema.check(description, given))
    assert.are.equal("12h", given.visibility)
  end)

  it("checks only what is given when defaults are not wanted", function()
    assert.are.same({}, schema.check(description, {}, { defaults = false }))
    assert.are.same({ limits = { cpu_ms = 1000 }, mail = {} },
      schema.check(description, { limits = { cpu = "1s" }, mail = {} }, { defaults = false }))
  end)

  it("names the path of each error, and reports all", function()
    local message, errors = problem({ limits = { cpu = 5, memory = "2G" }, slots = "many", mail = {} })
    assert.are.equal(4, #errors)
    assert.are.same({ "slots", "limits.cpu", "limits.memory", "mail.to" },
      { errors[1].path, errors[2].path, errors[3].path, errors[4].path })
    assert.matches("slots: expected a whole number from 1 to 8, found \"many\"", message, 1, true)
    assert.matches('limits.cpu: expected a duration with its unit, such as "5s" or "5ms"', message, 1, true)
    assert.matches('limits.memory: expected a size such as "64M", from 16M to 1G, found "2G"', message, 1, true)
    assert.matches("mail.to: is missing; expected a text", message, 1, true)
  end)

  it("puts a path before them", function()
    assert.matches("^policy%.slots: ", (problem({ slots = 0 }, { path = "policy" })))
  end)

  it("refuses unknown fields and names the nearest known one", function()
    assert.are.equal('visability: unknown field; did you mean "visibility"?', (problem({ visability = "1s" })))
    assert.are.equal('limits.memroy: unknown field; did you mean "memory"?', (problem({ limits = { memroy = "1G" } })))
    assert.are.equal("limits.x: unknown field; known are cpu, memory", (problem({ limits = { x = 1 } })))
    assert.matches("[1]: unknown field", (problem({ "x" })), 1, true)
    local _, errors = problem({ zz = 1, aa = 2, mm = 3, cc = 4, xx = 5 })
    local paths = {}
    for index, one in ipairs(errors) do
      paths[index] = one.path
    end
    assert.are.same({ "aa", "cc", "mm", "xx", "zz" }, paths)
  end)

  it("names at most twenty faults, and takes no time over the others", function()
    local many, list = {}, {}
    for number = 1, 100000 do
      many["field" .. number], list[number] = 1, 1
    end
    local before_us = host.clock.cpu_us()
    local message, errors = problem(many)
    assert.are.equal(20, #errors)
    assert.matches("^field1: .*; and more that is wrong$", message)
    local free = { type = "list", of = { type = "string" } }
    message = select(2, schema.check(free, list, { path = "tags" }))
    assert.matches("^tags%[1%]: .*; tags%[20%]: [^;]*; and more that is wrong$", message)
    assert.is_true(host.clock.cpu_us() - before_us < 2000000)
  end)

  it("shows odd names and texts as what they are", function()
    assert.matches('["\\x1b[31m"]: unknown field', (problem({ ["\27[31m"] = 1 })), 1, true)
    assert.matches('[""]: unknown field', (problem({ [""] = 1 })), 1, true)
    assert.matches("[a table]: unknown field", (problem({ [{}] = 1 })), 1, true)
    local message = problem({ [("x"):rep(100000)] = 1 })
    assert.is_true(#message < 300)
    assert.matches("(100000 bytes)", message, 1, true)
  end)

  it("refuses NUL bytes, which no path can hold", function()
    local text = { type = "table", fields = { { name = "path", type = "string" } } }
    local value, message = schema.check(text, { path = "a\0b" })
    assert.is_nil(value)
    assert.matches("path: expected a text without NUL bytes", message, 1, true)
  end)

  it("checks each type", function()
    local wrong = {
      { { var = 5 }, "var: expected a text, found the number 5" },
      { { var = "" }, "var: expected a text, found an empty text" },
      { { slots = 1.5 }, "slots: expected a whole number from 1 to 8, found the number 1.5" },
      { { slots = 9 }, "slots: expected a whole number from 1 to 8, found the number 9" },
      { { slots = 0 }, "slots: expected a whole number from 1 to 8, found the number 0" },
      { { ratio = -1 }, "ratio: expected a number from 0, found the number -1" },
      { { ratio = 0 / 0 }, "ratio: expected a number from 0" },
      { { kind = "Sandbox" },
        'kind: expected one of "sandbox", "container", found "Sandbox"; did you mean "sandbox"?' },
      { { kind = 1 }, 'kind: expected one of "sandbox", "container", found the number 1' },
      { { visibility = "999ms" }, 'visibility: expected a duration such as "5s", from 1s to 12h, found "999ms"' },
      { { on = "yes" }, 'on: expected true or false, found "yes"' },
      { { points = 1 }, "points: expected a function, found the number 1" },
      { { tags = "a" }, 'tags: expected a list of a text, found "a"' },
      { { tags = { "a", "b", "c", "d" } }, "tags: expected up to 3 elements, found 4" },
      { { tags = { "a", 2 } }, "tags[2]: expected a text, found the number 2" },
      { { tags = { a = 1 } }, 'tags: expected a list of a text, found a table with the field "a"' },
      { { show = 5 }, 'show: expected true or false, or one of "visible", "hidden", or a table, found the number 5' },
      { { show = { test = 1 } }, "show.test: expected true or false, found the number 1" },
      { { limits = true }, "limits: expected a table, found the boolean true" },
    }
    for _, one in ipairs(wrong) do
      assert.are.equal(one[2], (problem(one[1])):sub(1, #one[2]))
    end
    assert.are.equal("integer", math.type(schema.check(description, { slots = 2.0 }).slots))
    assert.are.same({ test = false }, schema.check(description, { show = {} }).show)
    assert.matches("found nothing", (select(2, schema.check({ type = "integer" }, nil))))
    assert.matches("found \"1\"", (select(2, schema.check({ type = "number" }, "1"))))
    assert.are.equal(0.25, schema.check({ type = "number" }, 0.25))
  end)

  it("checks texts by length and pattern", function()
    assert.are.equal("", schema.check({ type = "string", length = { nil, 5 } }, ""))
    assert.are.equal("", schema.check({ type = "string", length = { 0, 5 } }, ""))
    assert.are.equal("five5", schema.check({ type = "string", length = { 2, 5 } }, "five5"))
    local function message_of(one, value)
      return select(2, schema.check(one, value))
    end
    local short = { type = "string", length = { 2, 5 } }
    assert.are.equal("expected from 2 to 5 bytes, found 6", message_of(short, "sixsix"))
    assert.are.equal("expected from 2 to 5 bytes, found 1", message_of(short, "1"))
    assert.are.equal('expected "only", found "x"', message_of({ type = "enum", values = { "only" } }, "x"))
    local path = { type = "string", match = "^/", expected = "an absolute path" }
    assert.are.equal("/a", schema.check(path, "/a"))
    assert.are.equal('expected an absolute path, found "a"', message_of(path, "a"))
    assert.matches("^expected a table", (problem("x")))
  end)

  it("never calls metamethods of what it checks", function()
    local trap = function() error("called") end
    local value = setmetatable({}, { __index = trap, __len = trap, __pairs = trap, __newindex = trap, __eq = trap })
    assert.is_table(schema.check(description, { limits = value, tags = value }))
    local stranger = setmetatable({ x = 1 }, { __index = trap })
    assert.matches("x: unknown field", (problem(stranger)))
  end)

  it("refuses unknown options and types", function()
    assert.has_error(function() schema.check(description, {}, { default = true }) end)
    assert.has_error(function() schema.check({ type = "text" }, "x") end)
    assert.has_error(function() schema.expected({ type = "text" }) end)
  end)
end)

describe("schema.nearest", function()
  it("finds a name that was mistyped, not any name", function()
    local names = { "visibility", "slots", "var" }
    assert.are.equal("slots", schema.nearest("slot", names))
    assert.are.equal("slots", schema.nearest("solts", names))
    assert.are.equal("slots", schema.nearest("SLOTS", names))
    assert.are.equal("slots", schema.nearest("sots", names))
    assert.are.equal("slots", schema.nearest("sloots", names))
    assert.are.equal("slots", schema.nearest("slats", names))
    assert.are.equal("slots", schema.nearest("lsots", names))
    assert.are.equal("slots", schema.nearest("slost", names))
    assert.is_nil(schema.nearest("slaat", names))
    assert.is_nil(schema.nearest("stosl", names))
    assert.are.equal("var", schema.nearest("vra", names))
    assert.are.equal("var", schema.nearest("variable", names))
    assert.are.equal("visibility", schema.nearest("vis", names))
    assert.is_nil(schema.nearest("vi", names))
    assert.is_nil(schema.nearest("queue", names))
    assert.is_nil(schema.nearest("", names))
    assert.is_nil(schema.nearest(("x"):rep(1000000), names))
  end)
end)

describe("schema.document", function()
  it("makes a row for each field, in order", function()
    local rows = schema.document(description)
    assert.are.same({ path = "var", expected = "a text", default = '"./var"', text = "A folder." }, rows[1])
    assert.are.same({ path = "slots", expected = "a whole number from 1 to 8", default = "processors",
      text = "How many." }, rows[2])
    local by_path = {}
    for _, row in ipairs(rows) do
      by_path[row.path] = row
    end
    assert.are.equal("Time.", by_path["limits.cpu"].text)
    assert.are.equal('a duration such as "5s", from 1ms to 60s', by_path["limits.cpu"].expected)
    assert.are.equal("must be given", by_path["mail.to"].default)
    assert.are.same({ path = "mail", expected = "a table", default = "its fields' own", text = "" }, by_path["mail"])
    assert.are.equal("Limits.", by_path["limits"].text)
    assert.are.equal("none", by_path["points"].default)
    assert.are.equal("true", by_path["on"].default)
    local tables = schema.document({ fields = {
      { name = "tags", type = "list", of = { type = "string" }, default = {} },
      { name = "points", type = "function", default = function() return 1 end },
    } }, "top")
    assert.are.same({ path = "top.tags", expected = "a list of a text", default = "a table", text = "" }, tables[1])
    assert.are.equal("a function", tables[2].default)
  end)
end)

describe("schema's maps", function()
  local map = {
    type = "table",
    fields = {
      { name = "tools", type = "map", match = "^%l+$", expected = "a name of small letters", length = { 0, 3 },
        default = {}, text = "More.", of = { type = "choice", of = {
          { name = "saw", fields = { { name = "patience", type = "duration_ms", default = "5s" } } },
          { name = "axe", fields = {} },
        } } },
      { name = "sizes", type = "map", match = "^%l+$", expected = "a name", of = { type = "size_bytes" } },
    },
  }

  it("hold elements by names of the writer's own", function()
    local made = schema.constructors(map)
    assert.are.same({ tools = { big = { kind = "saw", patience_ms = 1000 }, small = { kind = "axe" } } },
      schema.check(map, { tools = { big = made.saw { patience = "1s" }, small = made.axe() } }))
    assert.are.same({ tools = {} }, schema.check(map, {}))
    assert.are.same({ tools = {}, sizes = { a = 1024 } }, schema.check(map, { sizes = { a = "1K" } }))
    assert.are.same({}, schema.check(map, {}, { defaults = false }))
  end)

  it("name what is wrong with an element or its name", function()
    local axe = { kind = "axe" }
    local function message(value) return select(2, schema.check(map, value)) end
    assert.are.equal("tools: expected a table of names, each with saw { … } or axe {}, found the number 1",
      message { tools = 1 })
    assert.are.equal("tools.[1]: expected a name of small letters as its name", message { tools = { axe } })
    assert.are.equal("tools.Axe: expected a name of small letters as its name", message { tools = { Axe = axe } })
    assert.are.equal('tools.["a b"]: expected a name of small letters as its name',
      message { tools = { ["a b"] = axe } })
    assert.are.equal("tools.a: expected saw { … } or axe {}, found the boolean true",
      message { tools = { a = true } })
    assert.are.equal("tools: expected from 0 to 3 elements, found 4",
      message { tools = { a = axe, b = axe, c = axe, d = axe } })
    assert.matches("sizes.a: ", message { sizes = { a = "x" }, tools = {} }, 1, true)
  end)

  it("are documented by one row", function()
    assert.are.same({ path = "tools", expected = "a table of names, each with saw { … } or axe {}", default = "none",
      text = "More." }, schema.document(map)[1])
  end)
end)

describe("schema's choices", function()
  local choice = {
    type = "table",
    fields = {
      { name = "bucket", type = "choice", text = "Where.", default = { kind = "folder" }, of = {
        { name = "s3", fields = {
          { name = "name", type = "string", required = true, text = "Its name." },
          { name = "patience", type = "duration_ms", default = "5s" },
        } },
        { name = "folder", fields = {} },
      } },
    },
  }

  it("are tables that constructors make", function()
    local made = schema.constructors(choice)
    local fields = { name = "x", patience = "1s" }
    local value = made.s3(fields)
    assert.are.same({ kind = "s3", name = "x", patience = "1s" }, value)
    assert.is_nil(fields.kind)
    assert.are.same({ bucket = { kind = "s3", name = "x", patience_ms = 1000 } },
      schema.check(choice, { bucket = value }))
    assert.are.same({ bucket = { kind = "folder" } }, schema.check(choice, { bucket = made.folder() }))
    assert.are.same({ bucket = { kind = "folder" } }, schema.check(choice, {}))
    assert.are.same({}, schema.check(choice, {}, { defaults = false }))
  end)

  it("are refused by what is wrong with the one that was chosen", function()
    assert.has_error(function() schema.constructors(choice).s3(5) end, "expected s3 { … }, found the number 5")
    assert.has_error(function() schema.constructors(choice).s3 { kind = "folder" } end)
    local _, message = schema.check(choice, { bucket = { kind = "s3", nam = 1 } })
    assert.matches("bucket%.name: is missing", message)
    assert.matches('bucket%.nam: unknown field; did you mean "name"%?', message)
    _, message = schema.check(choice, { bucket = { kind = "ftp" } })
    assert.are.equal("bucket: expected s3 { … } or folder {}, found a table", message)
    _, message = schema.check(choice, { bucket = true })
    assert.are.equal("bucket: expected s3 { … } or folder {}, found the boolean true", message)
  end)

  it("are documented with the fields of each", function()
    assert.are.same({
      { path = "bucket", expected = "s3 { … } or folder {}", default = "folder {}", text = "Where." },
      { path = "bucket = s3.name", expected = "a text", default = "must be given", text = "Its name." },
      { path = "bucket = s3.patience", expected = 'a duration such as "5s"', default = '"5s"', text = "" },
    }, schema.document(choice))
  end)
end)
