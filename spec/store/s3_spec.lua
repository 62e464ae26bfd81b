local aws = require "spec.fake.aws"
local fake_s3 = require "spec.fake.s3"
local host = require "submitter.host"
local store_module = require "submitter.store.s3"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"
local folder = "a/b/c/" .. subid .. "/"

describe("the bucket on S3", function()
  local world, server, store

  local function open(options)
    return assert(store_module.open { client = world:client(options), name = "bucket" })
  end

  before_each(function()
    world, server = aws.new(), fake_s3.new "bucket"
    world:script(function(request) return server:answer(request) end)
    store = open()
  end)

  local function fails(expected, ...)
    local value, message, code = ...
    assert.is_nil(value)
    assert.are.equal(expected, code)
    assert.is_string(message)
    assert.is_nil(message:find("%c"))
    return message
  end

  local function answer_with(...)
    local answer = { ... }
    server.fault = function() return answer end
  end

  local function refuse_with(status, code)
    local answer = fake_s3.refuse(status, code)
    server.fault = function() return answer end
  end

  it("returns what was put", function()
    local data = "a\0b\r\n\xff" .. ("x"):rep(100000)
    local etag = assert(store:put(folder .. "x", data))
    local read, metadata = store:get(folder .. "x")
    assert.are.equal(data, read)
    assert.are.same({ etag = etag, size_bytes = #data, modified_ms = 1700000000000 }, metadata)
    assert.are.same(metadata, store:head(folder .. "x"))
    assert(store:put(folder .. "x", ""))
    assert.are.equal("", (store:get(folder .. "x")))
  end)

  it("tells what begins with a slash from what doesn't", function()
    assert(store:put("/a/b", "1"))
    assert(store:put("a/b", "2"))
    assert.are.same({ ["/a/b"] = "1", ["a/b"] = "2" }, server.objects)
    assert.are.equal("1", (store:get("/a/b")))
    assert.are.equal("/a/b", assert(store:list("/a/"))[1].key)
    assert.are.equal(1, #assert(store:list("a/")))
    assert(store:delete("/a/b"))
    fails("not_found", store:get("/a/b"))
    assert.are.equal("2", (store:get("a/b")))
  end)

  it("checks every key", function()
    for _, bad in ipairs { "", "/", "../x", "a/../../x", "a//b", "a\0b", "a/", ("a/"):rep(2500), ("x"):rep(256),
      "a/.submitter-x", "a\xff" } do
      fails("invalid_key", store:get(bad))
      fails("invalid_key", store:head(bad))
      fails("invalid_key", store:put(bad, "x"))
      fails("invalid_key", store:put(bad, "x", { if_none_match = true }))
      fails("invalid_key", store:delete(bad))
    end
    for _, bad in ipairs { "../", "a/../../", "a//b", "a\0", "\xff", ("a"):rep(1025) } do
      fails("invalid_key", store:list(bad))
    end
    assert.are.same({}, world.requests)
  end)

  it("says what isn't there", function()
    assert.matches('no object "a/b" in the bucket', fails("not_found", store:get("a/b")), 1, true)
    fails("not_found", store:head("a/b"))
    assert.is_true(store:delete("nobody/home"))
    assert.are.same({}, store:list("nobody/"))
  end)

  it("refuses to read more than asked for", function()
    assert(store:put("big", ("x"):rep(1000)))
    assert.matches("more bytes than the 999", fails("too_large", store:get("big", { limit_bytes = 999 })))
    assert.are.equal(1000, #store:get("big", { limit_bytes = 1000 }))
    answer_with(nil, "more than 70000 bytes", "too_large")
    fails("too_large", store:get("big", { limit_bytes = 70000 }))
  end)

  it("puts only if nothing stands", function()
    local etag = assert(store:put("a/b", "1", { if_none_match = true }))
    assert.are.equal(host.digest.md5("1"), etag)
    assert.matches("stands already", fails("conflict", store:put("a/b", "2", { if_none_match = true })))
    assert.are.equal("1", (store:get("a/b")))
  end)

  it("puts only over what is expected", function()
    assert.matches("is gone", fails("conflict", store:put("a/b", "1", { if_match = host.digest.md5("0") })))
    fails("not_found", store:get("a/b"))
    local first = assert(store:put("a/b", "1"))
    assert(store:put("a/b", "2", { if_match = first }))
    assert.matches(first, fails("conflict", store:put("a/b", "3", { if_match = first })), 1, true)
    assert.are.equal("2", (store:get("a/b")))
  end)

  it("looks at conditions itself where the server keeps none", function()
    store = assert(store_module.open { client = world:client(), name = "bucket", conditional_writes = false })
    local first = assert(store:put("a", "1", { if_none_match = true }))
    assert.matches("stands already", fails("conflict", store:put("a", "2", { if_none_match = true })))
    assert.matches("has changed", fails("conflict", store:put("a", "2", { if_match = ("0"):rep(32) })))
    assert.matches("is gone", fails("conflict", store:put("b", "2", { if_match = first })))
    assert.are.equal("1", server.objects.a)
    local second = assert(store:put("a", "2", { if_match = first }))
    assert.are.same({ "2", host.digest.md5("2") }, { server.objects.a, second })
    assert(store:put("a", "3"))
    for _, request in ipairs(world.requests) do
      assert.is_nil(world:sent("if-match", request))
      assert.is_nil(world:sent("if-none-match", request))
    end
    refuse_with(403, "AccessDenied")
    fails("unavailable", store:put("a", "4", { if_match = second }))
    fails("unavailable", store:put("a", "4"))
    assert.are.equal("3", server.objects.a)
  end)

  it("takes others who write the same at the moment for a conflict, where there is a condition", function()
    refuse_with(409, "ConditionalRequestConflict")
    fails("conflict", store:put("a", "1", { if_none_match = true }))
    assert.are.equal(3, #world.requests)
  end)

  it("says what a browser should take an object for", function()
    for name, content_type in pairs { ["x.json"] = "application/json", ["x.out"] = "text/csv; charset=utf-8",
      ["x.grade.out"] = "text/csv; charset=utf-8", ["x.py"] = "text/x-python; charset=utf-8",
      x = "application/octet-stream" } do
      assert(store:put(folder .. name, "1"))
      assert.are.equal(content_type, world:sent "content-type")
    end
  end)

  it("lists what begins with a prefix, sorted, without what no store holds", function()
    for _, key in ipairs { "p/b", "p/a", "p/a b+c", "p/ü", "p/", "p//x", "p/folder/", "p/../x", "q" } do
      server.objects[key] = "xy"
    end
    local found = assert(store:list("p/"))
    assert.are.same({ key = "p/a", size_bytes = 2, modified_ms = 1700000000000 }, found[1])
    local keys = {}
    for index, entry in ipairs(found) do keys[index] = entry.key end
    assert.are.same({ "p/a", "p/a b+c", "p/b", "p/ü" }, keys)
    assert.are.equal(5, #assert(store:list("")))
  end)

  it("names the remedy for what an operator has to put right", function()
    refuse_with(404, "NoSuchBucket")
    assert.matches("create it, or correct its name", fails("unavailable", store:get("a")))
    assert.matches("create it", fails("unavailable", store:put("a", "1")))
    assert.matches("create it", fails("unavailable", store:put("a", "1", { if_none_match = true })))
    assert.matches("create it", fails("unavailable", store:delete("a")))
    refuse_with(403, "AccessDenied")
    local message = fails("unavailable", store:get("a"))
    assert.matches("allow s3:GetObject on the bucket bucket", message)
    assert.matches("without it S3 refuses to say that an object is absent", message)
    assert.matches("request REQUEST1", message)
    assert.matches("s3:GetObject", fails("unavailable", store:head("a")))
    assert.matches("s3:PutObject", fails("unavailable", store:put("a", "1")))
    assert.matches("s3:DeleteObject", fails("unavailable", store:delete("a")))
    assert.matches("s3:ListBucket", fails("unavailable", store:list("a")))
  end)

  it("doesn't take any 404 for S3's", function()
    answer_with(404)
    assert.matches("check the endpoint", fails("unavailable", store:get("a")))
    server.fault = function() return { 404, body = "<html>nothing here</html>" } end
    fails("unavailable", store:get("a"))
  end)

  it("thinks of path_style when an endpoint of the operator's has no such host", function()
    answer_with(nil, "could not resolve host", "connect")
    assert.is_nil(fails("unavailable", store:get("a")):find("path_style", 1, true))
    store = open { endpoint = "http://storage:9000" }
    assert.matches("set path_style = true", fails("unavailable", store:get("a")))
    store = open { endpoint = "http://192.0.2.1:9000" }
    assert.is_nil(fails("unavailable", store:get("a")):find("path_style", 1, true))
  end)

  it("says too_large and invalid_key also when S3 does", function()
    refuse_with(400, "EntityTooLarge")
    fails("too_large", store:put("a", "1"))
    refuse_with(400, "KeyTooLongError")
    fails("invalid_key", store:put("a", "1"))
  end)

  it("says unavailable while nothing is as it should be", function()
    for _, answer in ipairs { { 500 }, { 503 }, { nil, "m", "cut" }, { nil, "m", "timeout" }, { 200, body = "x",
      headers = { etag = '"' .. ("0"):rep(32) .. '"' } } } do
      server.fault = function() return answer end
      fails("unavailable", store:get("a"))
      fails("unavailable", store:put("a", "1", { if_none_match = true }))
    end
  end)

  it("throws on misuse", function()
    for _, options in ipairs { { ifmatch = "x" }, { if_match = "x", if_none_match = true }, { if_none_match = false },
      { if_match = 7 } } do
      assert.has_error(function() store:put("a", "1", options) end)
    end
    assert.has_error(function() store:get("a", { range = { 0, 1 } }) end)
    assert.has_error(function() store:list() end)
    assert.has_error(function() store_module.open { client = world:client(), bucket = "x" } end)
    assert.are.equal("configuration", select(3, store_module.open { client = world:client(), name = "s3://x" }))
  end)

  -- Faults of every kind, at a rate of `rate`, before the server does what it is asked or after.
  local function unreliable(rate)
    local before = { { nil, "m", "connect" }, { nil, "m", "timeout" }, { nil, "m", "cut" }, { 500 }, { 503 },
      fake_s3.refuse(503, "SlowDown"), fake_s3.refuse(409, "ConditionalRequestConflict"),
      fake_s3.refuse(400, "ExpiredToken") }
    local after = { { nil, "m", "timeout" }, { nil, "m", "cut" }, { 500 }, { 504 } }
    return function(request, carry_out)
      if math.random() >= rate then return nil end
      if math.random(2) == 1 then return before[math.random(#before)] end
      local answer = carry_out()
      if math.random(3) > 1 then return after[math.random(#after)] end
      if request.method == "GET" and answer.body then
        answer.body = answer.body:sub(1, -2)
      else
        answer.headers = { etag = '"' .. ("0"):rep(32) .. '"' }
      end
      return answer
    end
  end

  it("ends each conditional put right, whatever happens on the way", function()
    for seed = 1, 40 do
      math.randomseed(seed)
      server.objects, server.writes = {}, {}
      local rival = 0
      local fault = unreliable(0.4)
      server.fault = function(request, carry_out)
        if request.method == "PUT" and math.random() < 0.1 then
          rival = rival + 1
          server.objects.k = "rival " .. rival
        end
        return fault(request, carry_out)
      end
      for index = 1, 20 do
        local standing = server.objects.k
        local data = ("put %d %d"):format(seed, index)
        local etag, _, code = store:put("k", data, standing and { if_match = host.digest.md5(standing) }
          or { if_none_match = true })
        local writes = 0
        for _, write in ipairs(server.writes) do writes = writes + (write.data == data and 1 or 0) end
        local where = ("seed %d, put %d: %s"):format(seed, index, tostring(code))
        if etag then
          assert.are.same({ host.digest.md5(data), 1 }, { etag, writes }, where)
        elseif code == "conflict" then
          assert.are_not.equal(data, server.objects.k, where)
        else
          assert.are.equal("unavailable", code, where)
        end
        if index % 7 == 0 then server.objects.k = nil end
      end
      store = open()
    end
  end)

  it("loses and doubles nothing for those who read, change and put", function()
    for seed = 1, 20 do
      math.randomseed(seed)
      server.objects, server.fault = {}, unreliable(0.3)
      -- Each adds its mark to what stands; who doesn't know whether it did looks again.
      local function add(mark)
        for _ = 1, 100 do
          store = open()
          local text, about, code = store:get("k")
          if text and text:find(mark, 1, true) then return end
          if text or code == "not_found" then
            local etag = store:put("k", (text or "") .. mark, text and { if_match = about.etag }
              or { if_none_match = true })
            if etag then return end
          end
        end
        error("never got through")
      end
      local expected = {}
      for index = 1, 20 do
        local mark = ("<%d>"):format(index)
        add(mark)
        expected[index] = mark
      end
      assert.are.equal(table.concat(expected), server.objects.k, "seed " .. seed)
    end
  end)
end)
