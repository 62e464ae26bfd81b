local core = require "core.support"
local host = require "submitter.host"

local json = host.json

local function broken(source)
  local result, message, code = json.decode(source)
  assert.is_nil(result, ("%q was taken"):format(source))
  assert.is_string(message)
  assert.are.equal("json", code)
end

describe("core.json", function()
  describe("numbers", function()
    it("keep integers exact, to the bounds", function()
      for _, integer in ipairs { 0, 1, -1, 999999999999999, 1000000000000000, -999999999999999, -1000000000000000,
        9007199254740991, 9007199254740992, 9007199254740993, -9007199254740993, 1234567890123456789,
        math.maxinteger, math.mininteger, math.maxinteger - 1, math.mininteger + 1 } do
        local written = json.encode(integer)
        assert.are.equal(tostring(integer), written)
        local read = json.decode(written)
        assert.are.equal(integer, read)
        assert.are.equal("integer", math.type(read))
        assert.are.same({ integer, { a = integer } }, { json.decode(written), json.decode('{"a":' .. written .. "}") })
      end
    end)

    it("become floats where 64 bits end", function()
      for _, source in ipairs { "9223372036854775808", "-9223372036854775809", "18446744073709551616",
        "123456789012345678901234" } do
        local read = json.decode(source)
        assert.are.equal("float", math.type(read))
        assert.are.equal(tonumber(source), read)
      end
    end)

    it("round-trip floats", function()
      for _, number in ipairs { 0.1, 1 / 3, 1e300, -1e-300, 5e-324, math.pi, 123456.789, 1e15 + 0.5, 2 ^ 63,
        1.7976931348623157e308,
        0.1 + 0.2 } do
        assert.are.equal(number, json.decode(json.encode(number)))
        assert.are.equal("float", math.type(json.decode(json.encode(number))))
      end
      assert.are.equal("0.1", json.encode(0.1))
      assert.are.equal("1", json.encode(1.0))
    end)

    it("that are whole come as integers", function()
      for source, number in pairs { ["1.0"] = 1, ["1e3"] = 1000, ["-2.50e1"] = -25, ["0"] = 0, ["-0"] = 0 } do
        assert.are.equal(number, json.decode(source))
        assert.are.equal("integer", math.type(json.decode(source)))
      end
      assert.are.equal(0.5, json.decode("5e-1"))
    end)

    it("of another grammar are refused", function()
      for _, source in ipairs { "01", "-", "+1", "0x10", "1.2.3", "NaN", "Infinity", "-Infinity", "nan", "inf", "1 2",
        "--1",
        "00000000000000001", "-00000000000000001", "0123456789012345678" } do
        broken(source)
        broken("[" .. source .. "]")
      end
    end)

    it("JSON can't hold are refused", function()
      for _, number in ipairs { 0 / 0, math.huge, -math.huge } do
        assert.error_matches(function() json.encode(number) end, "JSON has no")
      end
    end)

    it("are no names", function()
      for _, source in ipairs { "{1:2}", "{1234567890123456:1}", "{1234567890123456 :1}", "{[]:1}",
        '{"a":1,1234567890123456\n:1}' } do
        broken(source)
      end
    end)
  end)

  describe("strings", function()
    it("round-trip, NUL and all escapes", function()
      for _, value in ipairs { "", "a", "\0", "a\0b", '"\\/\b\f\n\r\t', "\1\31\127", "é日\u{1F600}", "</script>",
        "\u{2028}" } do
        assert.are.equal(value, json.decode(json.encode(value)))
        assert.are.same({ [value] = value }, json.decode(json.encode({ [value] = value })))
      end
      assert.are.equal([["\u0000\u0001\u007f\"\\\n\r\t"]], json.encode("\0\1\127\"\\\n\r\t"))
      assert.are.equal('"é"', json.encode("é"))
    end)

    it("come with U+FFFD for invalid UTF-8", function()
      assert.are.equal('"a\u{FFFD}b\u{FFFD}\u{FFFD}"', json.encode("a\xffb\xC0\xAF"))
    end)

    it("that look like numbers, brackets or marks stay strings", function()
      for _, value in ipairs { "1234567890123456789", "[]", "[ ]", '"', "\\", "\\\"", "-", "12345678901234567890",
        "[1]", "{}", "i1", "a" } do
        local read = json.decode(json.encode({ value, { [value] = value } }))
        assert.are.same({ value, { [value] = value } }, read)
        assert.are.equal("string", type(read[1]))
      end
    end)

    it("know \\u escapes, pairs too", function()
      assert.are.equal("\u{1F600}é\0", json.decode([["\ud83d\ude00\u00e9\u0000"]]))
      broken [["\ud83d"]]
      broken [["\uZZZZ"]]
      broken [["\x"]]
      broken [["abc]]
      broken [["abc\]]
      broken [["abc\"]]
    end)
  end)

  describe("arrays and objects", function()
    it("keep empty arrays, both ways", function()
      assert.are.equal("[]", json.encode(json.array {}))
      assert.are.equal("{}", json.encode {})
      for _, source in ipairs { "[]", "{}", "[[]]", "[[],[]]", '{"a":[],"b":{}}', "[{}]", "[[[]]]",
        '[[],1234567890123456789,"[]"]',
        "[null]", "[false]" } do
        assert.are.equal(source, json.encode(json.decode(source)))
      end
      assert.are.equal("[]", json.encode(json.decode(" [ \t\r\n ] ")))
      local list = json.array { 1 }
      assert.are.equal("[1]", json.encode(list))
      list[1] = nil
      assert.are.equal("[]", json.encode(list))
      assert.are.equal(0, #json.decode("[]"))
      assert.is_nil(next(json.decode("[]")))
    end)

    it("know null", function()
      assert.are.equal(json.null, json.decode("null"))
      assert.are.equal(json.null, json.decode('{"a":null}').a)
      assert.are.equal('[null,null]', json.encode { json.null, json.null })
      assert.are.equal("null", json.encode(nil))
    end)

    it("are written in a fixed order", function()
      assert.are.equal('{"B":1,"a":2,"aa":3,"b":4}', json.encode { b = 4, aa = 3, B = 1, a = 2 })
      assert.are.equal('{"z":1,"a":2,"b":3,"c":4}', json.encode(json.ordered({ "z", "missing", "a" }, { c = 4, b = 3,
        a = 2, z = 1 })))
      local order = { "z", "a" }
      for _ = 1, 3 do
        assert.are.equal('{"z":1,"a":2}', json.encode(json.ordered(order, { a = 2, z = 1 })))
        collectgarbage()
      end
    end)

    it("take the last of names that come twice", function()
      assert.are.same({ a = 2 }, json.decode('{"a":1,"a":2}'))
    end)

    it("are indented for people", function()
      assert.are.equal('{\n  "a": [\n    1,\n    []\n  ],\n  "b": {}\n}',
        json.encode({ a = { 1, json.array {} }, b = {} }, { indent = 2 }))
      assert.error_matches(function() json.encode(1, { indent = 17 }) end, "indent is 0 to 16")
      assert.error_matches(function() json.encode(1, { indentation = 1 }) end,
        'json.encode: unknown option "indentation"')
    end)

    it("that JSON can't hold are refused", function()
      assert.error_matches(function() json.encode { 1, 2, x = 3 } end, "key")
      assert.error_matches(function() json.encode { [true] = 1 } end, "has the key true")
      assert.error_matches(function() json.encode { [1.5] = 1 } end, "has the key 1.5")
      assert.error_matches(function() json.encode { [2] = 1 } end, "key 2")
      assert.error_matches(function() json.encode(json.array { x = 1 }) end, "holes, or keys")
      assert.error_matches(function() json.encode { print } end, "can't hold a function")
      assert.error_matches(function() json.encode(coroutine.create(print)) end, "can't hold a thread")
      assert.error_matches(function() json.encode(io.stdout) end, "can't hold a userdata")
      assert.error_matches(function() json.encode() end, "value expected")
      local cycle = {}
      cycle.x = { cycle }
      assert.error_matches(function() json.encode(cycle) end, "a table that holds itself")
    end)

    it("are bounded in depth", function()
      local function nested(depth) return ("["):rep(depth) .. ("]"):rep(depth) end
      assert.are.equal(nested(200), json.encode(json.decode(nested(200))))
      assert.error_matches(function() json.encode(json.decode(nested(500))) end, "nested deeper than 200 levels")
      broken(nested(2000))
      broken(nested(100000))
      broken(('{"a":'):rep(100000))
    end)
  end)

  it("refuses what is no JSON", function()
    for _, source in ipairs { "", " ", "tru", "nul", "[", "]", "{", "[1,]", "[,1]", '{"a"}', '{"a":}', '{"a":1,}',
      "{a:1}", "'a'",
      "[1]x", "[1][2]", "\0", "[1]\0", "[1]\0[2]", '{"a":1}\0}', "\0[1]", "//x", "[1 2]", "\u{FEFF}[1]", '"\n',
        "[\"a\" \"b\"]",
      "[1234567890123456 1234567890123456]", "[[] []]", "\xff" } do
      broken(source)
    end
    assert.error_matches(function() json.decode() end, "string expected")
  end)

  it("says where, in the text as it was given", function()
    assert.matches("at character 31$", (select(2, json.decode("[1234567890123456789,[],[], 1 2]"))))
    assert.matches("NUL byte at character 4$", (select(2, json.decode("[1]\0"))))
  end)

  it("takes what is JSON", function()
    for source, value in pairs { [" true "] = true, ["false"] = false, ['"x"'] = "x", ["\t\r\n7\n"] = 7 } do
      assert.are.equal(value, json.decode(source))
    end
  end)

  it("takes and refuses what lua-cjson does, and reads the same", function()
    local cjson = require("cjson").new()
    cjson.decode_invalid_numbers(false)
    local tokens = { "[", "]", "[]", "{", "}", "{}", ",", ":", '"a"', '"', '"\\"', "\\", '"[]"', "null", "true", "1",
      "-", "1.5", "1e2",
      " ", "\n", "1234567890123456", "-1234567890123456", "12345678901234567890", "0123456789012345678",
        "123456789012345678901",
      '"a":', "[1,", "[[", "]]", "-0", '{"a":[],"b":', '"1234567890123456"', "1234567890123456:", "e5", "." }
    local function flat(value)
      if type(value) ~= "table" then return type(value) == "number" and ("%.17g"):format(value + 0.0)
        or tostring(value) end
      local keys, parts = {}, {}
      for key in pairs(value) do keys[#keys + 1] = key end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      for index, key in ipairs(keys) do parts[index] = tostring(key) .. "=" .. flat(value[key]) end
      return "{" .. table.concat(parts, ",") .. "}"
    end
    math.randomseed(42)
    local taken = 0
    for _ = 1, 60000 do
      local parts = {}
      for index = 1, math.random(1, 7) do parts[index] = tokens[math.random(#tokens)] end
      local source = table.concat(parts)
      local good, expected = pcall(cjson.decode, source)
      local found, message = json.decode(source)
      assert.are.equal(good, message == nil, source)
      if good then
        taken = taken + 1
        -- lua-cjson's integers are rounded: compare as doubles.
        local function rounded(value)
          if math.type(value) == "integer" then return value + 0.0 end
          if type(value) ~= "table" then return value end
          local copy = {}
          for key, part in pairs(value) do copy[key] = rounded(part) end
          return copy
        end
        assert.are.equal(flat(expected), flat(rounded(found)), source)
      else
        assert.are.equal(expected, message)
      end
    end
    assert.is_true(taken > 500, taken)
  end)

  it("takes time in proportion", function()
    local function cost(count)
      local list = json.array {}
      for number = 1, count do list[number] = { name = "entry " .. number, id = math.maxinteger - number,
        none = json.array {} } end
      collectgarbage()
      local before = host.clock.cpu_us()
      local written = json.encode(list)
      local read = assert(json.decode(written))
      assert.are.equal(count, #read)
      assert.are.equal(math.maxinteger - count, read[count].id)
      return host.clock.cpu_us() - before
    end
    cost(1000)
    local small, large = cost(4000), cost(64000)
    assert.is_true(core.sanitized() or large < small * 16 * 4 + 100000, ("%d µs, then %d µs"):format(small, large))
    assert.are.equal(10000000, #json.decode('"' .. ("x"):rep(10000000) .. '"'))
    broken(("[1,"):rep(300000))
  end)
end)
