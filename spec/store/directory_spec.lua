local host = require "submitter.host"
local store_module = require "submitter.store.directory"
local support = require "spec.support"

local subid = "fc55c0190dde2bc413d8d1e79fb8cca2"
local folder = "a/b/c/" .. subid .. "/"

describe("the directory bucket", function()
  local root, bucket, locks, store

  before_each(function()
    root = support.directory()
    bucket = assert(root:open("bucket", { create = true }))
    locks = assert(root:open("locks", { create = true }))
    store = store_module.open { directory = bucket, locks = locks }
  end)

  after_each(support.clean)

  local function fails(expected, ...)
    local value, message, code = ...
    assert.is_nil(value)
    assert.are.equal(expected, code)
    assert.is_string(message)
    assert.is_nil(message:find("%c"))
    return message
  end

  it("returns what was put", function()
    local data = "a\0b\r\n\xff" .. ("x"):rep(100000)
    local etag = assert(store:put(folder .. "x", data))
    assert.are.equal(host.digest.md5(data), etag)
    local before_ms = host.clock.now_ms()
    local read, metadata = store:get(folder .. "x")
    assert.are.equal(data, read)
    assert.are.equal(etag, metadata.etag)
    assert.are.equal(#data, metadata.size_bytes)
    assert.is_true(math.abs(metadata.modified_ms - before_ms) < 60000)
    assert.are.same({ size_bytes = #data, modified_ms = metadata.modified_ms }, store:head(folder .. "x"))
    assert(store:put(folder .. "x", ""))
    assert.are.equal("", (store:get(folder .. "x")))
  end)

  it("drops one leading slash", function()
    assert(store:put("/a/b", "1"))
    assert.are.equal("1", (store:get("a/b")))
    assert.are.equal("1", bucket:read("a/b"))
    assert(store:delete("/a/b"))
    fails("not_found", store:get("/a/b"))
  end)

  it("leaves nothing beside the object", function()
    assert(store:put("a/b", "1"))
    assert(store:put("a/b", "2", { if_match = host.digest.md5("1") }))
    assert.are.same({ { name = "b", type = "file" } }, bucket:list("a"))
  end)

  it("checks every key", function()
    for _, bad in ipairs { "", "/", "../x", "a/../../x", "a//b", "a\0b", "a/", ("a/"):rep(2500), ("x"):rep(256),
      "a/.submitter-x" } do
      fails("invalid_key", store:get(bad))
      fails("invalid_key", store:head(bad))
      fails("invalid_key", store:put(bad, "x"))
      fails("invalid_key", store:put(bad, "x", { if_none_match = true }))
      fails("invalid_key", store:delete(bad))
    end
    assert.are.same({}, bucket:list("."))
  end)

  it("says what isn't there", function()
    assert.matches('no object "a/b" in the bucket', fails("not_found", store:get("a/b")), 1, true)
    fails("not_found", store:head("a/b"))
    assert(store:put("a", "x"))
    fails("not_found", store:get("a/b"))
    assert.is_true(store:delete("nobody/home"))
    assert.is_true(store:delete("a/b"))
  end)

  it("names the whole key, however long, because its end says which object it is", function()
    local long = ("a"):rep(200) .. "/" .. ("b"):rep(200) .. "/c/" .. subid .. "/" .. subid .. ".py"
    local quoted = '"' .. long .. '"'
    assert.matches(quoted, fails("not_found", store:get(long)), 1, true)
    assert(store:put(long .. "/below", "x"))
    assert.matches(quoted, fails("invalid_key", store:put(long, "x")), 1, true)
  end)

  it("refuses to read more than asked for, with both sizes", function()
    assert(store:put("big", ("x"):rep(1000)))
    local message = fails("too_large", store:get("big", { limit_bytes = 999 }))
    assert.matches("1000 bytes; at most 999", message)
    assert.are.equal(1000, #store:get("big", { limit_bytes = 1000 }))
  end)

  it("takes a folder for no object", function()
    assert(store:put("a/b/c", "x"))
    fails("not_found", store:get("a/b"))
    fails("not_found", store:head("a"))
    assert.is_true(store:delete("a/b"))
    assert.are.equal("x", (store:get("a/b/c")))
    assert.matches("objects below that key", fails("invalid_key", store:put("a/b", "y")))
    assert.matches("object or link stands where a part of the key", fails("invalid_key", store:put("a/b/c/d", "y")))
    assert.are.equal("x", (store:get("a/b/c")))
  end)

  it("lets an object take the place of a folder that delete left empty", function()
    assert(store:put("a/b", "x"))
    assert(store:delete("a/b"))
    assert(store:put("a", "y"))
    assert.are.equal("y", (store:get("a")))
  end)

  it("never follows a link, and opens nothing but files", function()
    assert(root:write("secret", "secret"))
    assert(root:make("elsewhere"))
    assert(root:write("elsewhere/file", "secret"))
    assert(store:put("a/real", "real"))
    support.make_special("/bin/ln", { "-s", root:path() .. "/secret", bucket:path() .. "/a/absolute" })
    support.make_special("/bin/ln", { "-s", "real", bucket:path() .. "/a/inside" })
    support.make_special("/bin/ln", { "-s", root:path() .. "/elsewhere", bucket:path() .. "/folder" })
    support.make_special("/usr/bin/mkfifo", { bucket:path() .. "/a/fifo" })
    for _, name in ipairs { "a/absolute", "a/inside", "folder/file", "a/fifo" } do
      fails("not_found", store:get(name))
      fails("not_found", store:head(name))
      assert.is_true(store:delete(name))
    end
    fails("invalid_key", store:put("folder/new", "x"))
    assert.are.same({ { name = "file", type = "file" } }, root:list("elsewhere"))
    local listed = store:list("")
    assert.are.equal(1, #listed)
    assert.are.equal("a/real", listed[1].key)
    -- Writing to the name of a link makes an object; what the link pointed to stays as it was.
    assert(store:put("a/absolute", "object"))
    assert.are.equal("secret", root:read("secret"))
    assert.are.equal("object", (store:get("a/absolute")))
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
    local second = assert(store:put("a/b", "2", { if_match = first }))
    local message = fails("conflict", store:put("a/b", "3", { if_match = first }))
    assert.matches(first, message, 1, true)
    assert.matches(second, message, 1, true)
    assert.are.equal("2", (store:get("a/b")))
  end)

  it("puts under a condition whatever the size of what stands", function()
    assert(store:put("a", "1"))
    assert.are.equal(0, assert(host.child.run {
      program = "/usr/bin/truncate", arguments = { "-s", "300M", bucket:path() .. "/a" },
    }).exit_code)
    fails("conflict", store:put("a", "2", { if_none_match = true }))
    local limit_bytes
    store.directory = support.disguise(bucket, { read = function(_, _, options)
      limit_bytes = options.limit_bytes
      return "1"
    end })
    assert(store:put("a", "2", { if_match = host.digest.md5("1") }))
    assert.is_true(limit_bytes > 1 << 32)
  end)

  it("lets one of many win", function()
    local etag = assert(store:put(folder .. "r", "start"))
    local tasks, winners = {}, {}
    for index = 1, 20 do
      -- Each with descriptors of its own, as another process would have.
      local other = store_module.open { directory = assert(root:open("bucket")), locks = assert(root:open("locks")) }
      tasks[index] = host.task.spawn("writer", function()
        local won, _, code = other:put(folder .. "r", "writer " .. index, { if_match = etag })
        assert(won or code == "conflict", code)
        winners[#winners + 1] = won and index or nil
      end)
    end
    for _, task in ipairs(tasks) do
      assert(task:join())
    end
    assert.are.equal(1, #winners)
    assert.are.equal("writer " .. winners[1], (store:get(folder .. "r")))
  end)

  it("waits for the lock of the same submission, and for no other", function()
    local stripe = host.digest.md5("a/b/c/" .. subid):sub(1, 2)
    local lock = assert(assert(root:open("locks")):lock(stripe))
    local done = {}
    local writer = host.task.spawn("writer", function()
      assert(store:put("/" .. folder .. "x.result.json", "1", { if_none_match = true }))
      done[#done + 1] = "same"
    end)
    assert(store:put("z/b/c/other/x", "1", { if_none_match = true }))
    done[#done + 1] = "other"
    host.clock.sleep_ms(30)
    assert.are.same({ "other" }, done)
    lock:release()
    assert(writer:join())
    assert.are.same({ "other", "same" }, done)
    for _, entry in ipairs(locks:list(".")) do
      assert.matches("^%x%x$", entry.name)
    end
  end)

  it("locks the whole truth of a submission with the submission, not with those of others", function()
    local asked = {}
    store.locks = support.disguise(locks, { lock = function(directory, name, ...)
      asked[#asked + 1] = name
      return directory:lock(name, ...)
    end })
    assert(store:put(folder .. subid .. ".result.json", "1"))
    assert(store:put("a/b/c/grading/results/" .. subid .. ".json", "1"))
    assert(store:put("/a/b/c/grading/results/" .. subid .. ".grade.json", "1"))
    assert(store:put("a/b/c/grading/results/" .. ("0"):rep(32) .. ".json", "1"))
    assert(store:put("a/b/c/grading/results/notes.json", "1"))
    assert(store:put("a/b/c/grading/test.in", "1"))
    assert.are.same({ asked[1], asked[1] }, { asked[2], asked[3] })
    assert.are_not.equal(asked[1], asked[4])
    assert.are.equal(asked[5], asked[6])
  end)

  it("says unavailable when the lock can't be had", function()
    store.locks = { lock = function() return nil, "somebody holds it", "busy" end }
    assert.matches("more than 5s", fails("unavailable", store:put("a", "1")))
    fails("unavailable", store:delete("a"))
  end)

  it("gives the lock back also when a put fails", function()
    fails("conflict", store:put("a", "1", { if_match = "0" }))
    fails("conflict", store:put("a", "1", { if_match = "0" }))
    assert(store:put("a/b", "1"))
    fails("invalid_key", store:put("a", "1"))
    assert(store:put("a/b", "2"))
  end)

  it("throws on options that it doesn't know", function()
    assert.has_error(function() store:put("a", "1", { ifmatch = "x" }) end)
    assert.has_error(function() store:put("a", "1", { if_match = "x", if_none_match = true }) end)
    assert.has_error(function() store:put("a", "1", { if_match = 5 }) end)
    assert.has_error(function() store:put("a", "1", { if_none_match = false }) end)
    assert.has_error(function() store:get("a", { limit = 5 }) end)
    assert.has_error(function() store_module.open {} end)
    assert.has_error(function() store_module.open { directory = bucket } end)
    assert.has_error(function() store_module.open { locks = locks } end)
  end)

  it("tells what may pass from what will not", function()
    assert(store:put("a", "1"))
    local code
    local function failing()
      return nil, "the system's words", code
    end
    local expected = { EIO = "unavailable", EACCES = "unavailable", EMFILE = "unavailable",
      ENAMETOOLONG = "invalid_key" }
    local function with(methods)
      store.directory = support.disguise(bucket, methods)
    end
    for one, result in pairs(expected) do
      code = one
      with { stat = failing }
      fails(result, store:get("a"))
      fails(result, store:head("a"))
      fails(result, store:delete("a"))
      with { read = failing }
      fails(result, store:get("a"))
      fails(result, store:put("a", "2", { if_match = "x" }))
      with { replace = failing }
      fails(result, store:put("a", "2"))
    end
    code = "EIO"
    with { remove = failing }
    assert.matches("system's words", fails("unavailable", store:delete("a")))
    with { list = failing }
    fails("unavailable", store:list(""))
    with { stat = failing }
    fails("unavailable", store:list(""))
    -- What went away between two looks is gone, and that is all.
    code = "ENOENT"
    with { stat = failing }
    assert.are.same({}, store:list(""))
    with { remove = failing }
    assert.is_true(store:delete("a"))
    with { read = failing }
    fails("not_found", store:get("a"))
  end)

  describe("list", function()
    local function keys(prefix)
      local found = {}
      for index, object in ipairs(assert(store:list(prefix))) do
        found[index] = object.key
      end
      return found
    end

    before_each(function()
      local stored = { "a/b/2", "a/b/10", "a/b-c", "a/b/grading/test.in", "a/b/grading/test.out", "a/bc", "z" }
      for _, name in ipairs(stored) do
        assert(store:put(name, name))
      end
    end)

    it("finds all below a prefix, sorted by their bytes", function()
      assert.are.same({ "a/b-c", "a/b/10", "a/b/2", "a/b/grading/test.in", "a/b/grading/test.out", "a/bc", "z" },
        keys(""))
      assert.are.same({ "a/b/10", "a/b/2", "a/b/grading/test.in", "a/b/grading/test.out" }, keys("a/b/"))
      assert.are.same({ "a/b/grading/test.in", "a/b/grading/test.out" }, keys("a/b/gra"))
      assert.are.same({ "a/b-c", "a/b/10", "a/b/2", "a/b/grading/test.in", "a/b/grading/test.out", "a/bc" },
        keys("a/b"))
      assert.are.same({ "a/b/10" }, keys("a/b/10"))
      assert.are.same({}, keys("a/b/100"))
      assert.are.same({}, keys("nobody/"))
      assert.are.same({}, keys("z/"))
    end)

    it("writes keys as the prefix is written", function()
      assert.are.same({ "/a/b/10", "/a/b/2" }, { keys("/a/b/")[1], keys("/a/b/")[2] })
      assert.are.equal("/z", keys("/")[7])
      assert.are.equal("/z", keys("/z")[1])
    end)

    it("tells size and time", function()
      local object = store:list("z")[1]
      assert.are.equal(1, object.size_bytes)
      assert.are.equal(store:head("z").modified_ms, object.modified_ms)
    end)

    it("hides files being written", function()
      assert(bucket:write("a/b/.submitter-123", "half"))
      assert.are.same({ "a/b/10", "a/b/2", "a/b/grading/test.in", "a/b/grading/test.out" }, keys("a/b/"))
    end)

    it("walks the prefix's folder only", function()
      local walked = {}
      store.directory = support.disguise(bucket, {
        list = function(_, path)
          walked[#walked + 1] = path
          return bucket:list(path)
        end,
      })
      keys("a/b/gra")
      assert.are.same({ "a/b", "a/b/grading" }, walked)
    end)

    it("refuses a prefix that leads elsewhere", function()
      fails("invalid_key", store:list("../"))
      fails("invalid_key", store:list("a/../../"))
      fails("invalid_key", store:list("a//b"))
      assert.are.same({}, keys(".."))
    end)
  end)
end)
