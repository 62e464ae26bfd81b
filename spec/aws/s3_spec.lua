local aws = require "spec.fake.aws"
local fake_s3 = require "spec.fake.s3"
local host = require "submitter.host"
local s3 = require "submitter.aws.s3"
local support = require "spec.support"

describe("a bucket on S3", function()
  local world, server, bucket, restore

  local function open(options)
    options = options or {}
    return assert(s3.open { client = world:client { endpoint = options.endpoint, region = options.region },
      bucket = "bucket", path_style = options.path_style })
  end

  before_each(function()
    world, server = aws.new(), fake_s3.new "bucket"
    restore = support.replace(host.log, { info = function() end })
    world:script(function(request) return server:answer(request) end)
    bucket = open()
  end)

  after_each(function() restore() end)

  local function fails(expected, ...)
    local value, message, code, details = ...
    assert.is_nil(value)
    assert.are.equal(expected, code)
    assert.is_string(message)
    return message, details
  end

  -- Answers the requests by turns with what is given; the server answers where it is nil, and when there is none left.
  local function answers(...)
    local list, index = table.pack(...), 0
    server.fault = function(request, carry_out)
      index = index + 1
      local answer = list[index]
      if type(answer) == "function" then return answer(request, carry_out) end
      return answer
    end
  end

  local cut = { nil, "the connection was cut", "cut" }

  -- Carries it out and loses the answer.
  local function lose(_, carry_out)
    carry_out()
    return cut
  end

  describe("get", function()
    it("reads an object with its metadata, and asks for its checksum", function()
      server.objects["a/b"] = "data"
      local data, about = bucket:get "a/b"
      assert.are.equal("data", data)
      assert.are.same({ etag = host.digest.md5 "data", size_bytes = 4, modified_ms = 1700000000000,
        content_type = "text/plain" }, about)
      assert.are.equal("https://bucket.s3.eu-central-1.amazonaws.com/a/b", world.requests[1].url)
      assert.are.equal("GET", world.requests[1].method)
      assert.are.equal("ENABLED", world:sent "x-amz-checksum-mode")
      assert.is_nil(world:sent "range")
    end)

    it("says that there is none, with the ids that support asks for", function()
      local message, details = fails("NoSuchKey", bucket:get "a")
      assert.matches("HTTP 404, request REQUEST1, extended request HOST1", message)
      assert.are.equal(1, details.attempts)
    end)

    it("reads a range", function()
      server.objects.a = "0123456789"
      local data, about = bucket:get("a", { range = { 2, 4 } })
      assert.are.same({ "234", 10 }, { data, about.size_bytes })
      assert.are.equal("bytes=2-4", world:sent "range")
      assert.are.equal("89", (bucket:get("a", { range = { 8, 100 } })))
      fails("InvalidRange", bucket:get("a", { range = { 10, 11 } }))
      answers { 200, body = "0123456789" }
      data, about = bucket:get("a", { range = { 2, 4 } })
      assert.are.same({ "234", 10 }, { data, about.size_bytes })
    end)

    it("takes no other range than the one it asked for", function()
      server.objects.a = "0123456789"
      local wrong = { 206, body = "345", headers = { ["content-range"] = "bytes 3-5/10" } }
      answers(wrong, { 206, body = "234" }, { 206, body = "23", headers = { ["content-range"] = "bytes 2-4/10" } })
      fails("corrupt", bucket:get("a", { range = { 2, 4 } }))
      answers({ 206, body = "0", headers = { ["content-range"] = "bytes 0-0/10" } })
      assert.are.equal("0123456789", (bucket:get "a"))
    end)

    it("says that an object hasn't changed", function()
      server.objects.a = "x"
      fails("not_modified", bucket:get("a", { if_none_match = host.digest.md5 "x" }))
      assert.are.equal("x", (bucket:get("a", { if_none_match = host.digest.md5 "y" })))
      assert.are.equal('"' .. host.digest.md5 "y" .. '"', world:sent "if-none-match")
    end)

    it("reads no more than it may, yet an error's text whatever that is", function()
      server.objects.a = "0123456789"
      fails("too_large", bucket:get("a", { limit_bytes = 9 }))
      assert.are.equal("0123456789", (bucket:get("a", { limit_bytes = 10 })))
      fails("NoSuchKey", bucket:get("b", { limit_bytes = 0 }))
      assert.are.equal(65536, world.requests[#world.requests].limit_bytes)
      bucket:get("b", { limit_bytes = 1 << 20 })
      assert.are.equal(1 << 20, world.requests[#world.requests].limit_bytes)
      answers { nil, "more than 9 bytes", "too_large" }
      fails("too_large", bucket:get "a")
    end)

    it("tries again what doesn't fit its checksums, and gives up on it", function()
      local md5, crc32 = host.digest.md5 "data", host.digest.crc32("data", "base64")
      local good = { etag = '"' .. md5 .. '"', ["content-length"] = "4", ["x-amz-checksum-crc32"] = crc32,
        ["x-amz-checksum-sha256"] = host.digest.sha256("data", "base64") }
      local function answer(headers, body)
        local all = {}
        for name, value in pairs(good) do all[name] = value end
        for name, value in pairs(headers) do all[name] = value ~= "" and value or nil end
        return { 200, body = body or "data", headers = all }
      end
      local wrong = {
        answer({}, "dats"), answer({}, "dat"), answer { etag = '"' .. host.digest.md5 "x" .. '"' },
        answer { ["x-amz-checksum-crc32"] = "AAAAAA==" }, answer { ["x-amz-checksum-sha256"] = "AAAA" },
        answer { ["content-length"] = "5" }, answer({ ["x-amz-checksum-crc32"] = "", ["x-amz-checksum-sha256"] = "" },
          "dats"),
      }
      for _, one in ipairs(wrong) do
        answers(one, one, answer {})
        assert.are.equal("data", (bucket:get "a"))
        answers(one, one, one)
        fails("corrupt", bucket:get "a")
      end
    end)

    it("doesn't take for an MD5 what is none, nor parts' checksums for the whole's", function()
      for _, headers in ipairs {
        { etag = '"' .. ("0"):rep(32) .. '-2"' },
        { etag = '"' .. ("0"):rep(32) .. '"', ["x-amz-server-side-encryption"] = "aws:kms" },
        { etag = '"' .. ("0"):rep(32) .. '"', ["x-amz-server-side-encryption"] = "aws:kms:dsse" },
        { etag = '"' .. ("0"):rep(32) .. '"', ["x-amz-server-side-encryption-customer-algorithm"] = "AES256" },
        { etag = '"opaque"' }, {}, { ["x-amz-checksum-crc32"] = "AAAAAA==-2" },
      } do
        answers { 200, body = "data", headers = headers }
        assert.are.equal("data", (bucket:get "a"))
      end
      local one = { 200, body = "data", headers = { etag = '"' .. ("0"):rep(32) .. '"',
        ["x-amz-server-side-encryption"] = "AES256" } }
      answers(one, one, one)
      fails("corrupt", bucket:get "a")
    end)
  end)

  describe("head", function()
    it("says what is there", function()
      server.objects.a = "data"
      assert.are.same({ etag = host.digest.md5 "data", size_bytes = 4, modified_ms = 1700000000000,
        content_type = "text/plain" }, bucket:head "a")
      assert.are.equal("HEAD", world.requests[1].method)
      fails("NotFound", bucket:head "b")
      assert.are.equal(2, #world.requests)
    end)

    it("asks the first byte what HEAD can't say, which also puts it right", function()
      server.objects.a = "data"
      world.session.keys = { "KEY1", "KEY2" }
      answers({ 400 }, fake_s3.refuse(400, "ExpiredToken"))
      assert.are.equal(4, assert(bucket:head "a").size_bytes)
      assert.matches("^KEY2", world:sent "authorization")
      server.objects.a = ""
      answers { 403 }
      assert.are.equal(0, assert(bucket:head "a").size_bytes)
      answers({ 403 }, fake_s3.refuse(403, "AccessDenied"))
      fails("AccessDenied", bucket:head "a")
    end)
  end)

  describe("put", function()
    it("sends data with its checksums and type", function()
      local etag = assert(bucket:put("a/b", "data", { content_type = "text/x" }))
      assert.are.equal(host.digest.md5 "data", etag)
      assert.are.equal("data", server.objects["a/b"])
      assert.are.equal("PUT", world.requests[1].method)
      assert.are.equal("text/x", world:sent "content-type")
      assert.are.equal("jXd/OF09/siBXSD3SWAm3A==", world:sent "content-md5")
      assert.are.equal("rfPzYw==", world:sent "x-amz-checksum-crc32")
      assert.is_nil(world:sent "if-match")
      assert.is_nil(world:sent "if-none-match")
      assert(bucket:put("a/b", ""))
      assert.are.equal("", server.objects["a/b"])
      assert.are.equal("application/octet-stream", world:sent "content-type")
    end)

    it("keeps conditions", function()
      local etag = assert(bucket:put("a", "1", { if_none_match = true }))
      fails("PreconditionFailed", bucket:put("a", "2", { if_none_match = true }))
      local second = assert(bucket:put("a", "2", { if_match = etag }))
      fails("PreconditionFailed", bucket:put("a", "3", { if_match = etag }))
      fails("NoSuchKey", bucket:put("b", "3", { if_match = second }))
      assert.are.equal("2", server.objects.a)
      -- Nothing but conditional writes was sent: there was nothing to look for.
      for _, request in ipairs(world.requests) do assert.are.equal("PUT", request.method) end
    end)

    it("knows its own object again when the answer to an earlier attempt was lost", function()
      for _, lost in ipairs { lose, function(_, carry_out) carry_out() return { 500 } end,
        function(_, carry_out) carry_out() return { nil, "silence", "timeout" } end,
        function(_, carry_out) carry_out() return { 200, headers = { etag = '"' .. ("0"):rep(32) .. '"' } } end } do
        server.objects = {}
        answers(lost)
        assert.are.equal(host.digest.md5 "1", assert(bucket:put("a", "1", { if_none_match = true })))
        answers(lost)
        assert.are.equal(host.digest.md5 "2", assert(bucket:put("a", "2", { if_match = host.digest.md5 "1" })))
        assert.are.equal("2", server.objects.a)
      end
    end)

    it("doesn't take another's object for its own", function()
      local function other_wins(text)
        return function()
          server.objects.a = text
          return cut
        end
      end
      answers(other_wins "2")
      fails("PreconditionFailed", bucket:put("a", "1", { if_none_match = true }))
      server.objects = {}
      answers(other_wins "other")
      fails("PreconditionFailed", bucket:put("a", "1", { if_none_match = true }))
      answers(other_wins "longer than ours")
      fails("PreconditionFailed", bucket:put("a", "1", { if_match = host.digest.md5 "other" }))
      server.objects.a = nil
      answers(cut, fake_s3.refuse(412, "PreconditionFailed"))
      fails("PreconditionFailed", bucket:put("a", "1", { if_none_match = true }))
    end)

    it("says so when it can't look what stands there", function()
      answers(lose, nil, { 500 }, { 500 }, { 500 })
      local message, details = fails("unknown", bucket:put("a", "1", { if_none_match = true }))
      assert.is_true(details.retryable)
      assert.matches("may have succeeded.+HTTP 500", message)
    end)

    it("waits for others who are writing the same, then says so", function()
      local contended = fake_s3.refuse(409, "ConditionalRequestConflict")
      answers(contended, contended)
      assert(bucket:put("a", "1", { if_none_match = true }))
      assert.are.equal(2, #world.slept)
      answers(contended, contended, contended)
      fails("ConditionalRequestConflict", bucket:put("a", "2"))
      answers(lose, contended, contended)
      assert(bucket:put("a", "2", { if_match = host.digest.md5 "1" }))
    end)

    it("finds out where If-Match must have no quotes", function()
      server.bare, server.objects.a = true, "1"
      bucket = open { endpoint = "http://127.0.0.1:9" }
      local etag = assert(bucket:put("a", "2", { if_match = host.digest.md5 "1" }))
      assert.are.equal(3, #world.requests)
      assert.are.equal("2", server.objects.a)
      fails("PreconditionFailed", bucket:put("a", "3", { if_match = host.digest.md5 "1" }))
      assert(bucket:put("a", "3", { if_match = etag }))
      assert.are.equal(etag, world:sent "if-match")
      assert.are.equal(5, #world.requests)
    end)

    it("keeps the quotes where the object is another, and at Amazon's endpoints", function()
      server.objects.a = "1"
      bucket = open { endpoint = "http://127.0.0.1:9" }
      fails("PreconditionFailed", bucket:put("a", "2", { if_match = host.digest.md5 "0" }))
      assert(bucket:put("a", "2", { if_match = host.digest.md5 "1" }))
      assert.are.equal('"' .. host.digest.md5 "1" .. '"', world:sent "if-match")
      server.bare, world.requests, bucket = true, {}, open()
      fails("PreconditionFailed", bucket:put("a", "3", { if_match = host.digest.md5 "2" }))
      assert.are.equal(1, #world.requests)
    end)

    it("believes no good status with an error in it, nor another's ETag", function()
      answers({ 200, body = "<Error><Code>InternalError</Code></Error>" }, { 200, headers = { etag = '"'
        .. ("0"):rep(32) .. '"' } })
      assert(bucket:put("a", "1"))
      assert.are.equal(3, #world.requests)
      answers { 200, headers = { etag = '"' .. ("0"):rep(32) .. '"', ["x-amz-server-side-encryption"] = "aws:kms" } }
      assert.are.equal(("0"):rep(32), (bucket:put("a", "1")))
    end)
  end)

  it("deletes, also what isn't there", function()
    server.objects.a = "x"
    assert.is_true(bucket:delete "a")
    assert.is_nil(server.objects.a)
    assert.are.equal("DELETE", world.requests[1].method)
    answers(fake_s3.refuse(404, "NoSuchKey"))
    assert.is_true(bucket:delete "a")
    answers(fake_s3.refuse(404, "NoSuchBucket"))
    fails("NoSuchBucket", bucket:delete "a")
  end)

  describe("list", function()
    it("reads page after page, in the order of bytes", function()
      server.page_size = 3
      for _, key in ipairs { "p/b", "p/a", "p/ü & <x>", "p/a b", "p/a+b", "p/%41", "p//c", "q/a", "p/\1" } do
        server.objects[key] = key
      end
      local found = assert(bucket:list "p/")
      local keys = {}
      for index, entry in ipairs(found) do keys[index] = entry.key end
      assert.are.same({ "p/\1", "p/%41", "p//c", "p/a", "p/a b", "p/a+b", "p/b", "p/ü & <x>" }, keys)
      assert.are.same({ key = "p/\1", size_bytes = 3, modified_ms = 1700000000000, etag = host.digest.md5 "p/\1" },
        found[1])
      assert.are.equal(3, #world.requests)
      assert.matches("%?list%-type=2&encoding%-type=url&max%-keys=1000&prefix=p%%2F$", world.requests[1].url)
      assert.matches("&continuation%-token=p%%2F%%2Fc$", world.requests[2].url)
    end)

    it("begins after a key", function()
      for _, key in ipairs { "a", "b", "c" } do server.objects[key] = "" end
      assert.are.equal("c", assert(bucket:list("", { start_after = "b" }))[1].key)
    end)

    it("has a bound", function()
      server.page_size = 2
      for _, key in ipairs { "a", "b", "c" } do server.objects[key] = "" end
      fails("too_large", bucket:list("", { limit = 2 }))
      assert.are.equal(3, #assert(bucket:list("", { limit = 3 })))
    end)

    it("takes keys as they stand where the server encodes none", function()
      answers { 200, body = "<ListBucketResult><Contents><Key>a%20+b</Key><Size>1</Size></Contents>"
        .. "</ListBucketResult>" }
      assert.are.same({ { key = "a%20+b", size_bytes = 1, modified_ms = 0 } }, bucket:list "")
    end)

    it("tries again what is no list, and gives up on it", function()
      local head = "<ListBucketResult><EncodingType>url</EncodingType>"
      for body, code in pairs { [""] = "BadAnswer", ["<html/>"] = "BadAnswer", ["<ListBucketResult>"] = "BadAnswer",
        ["<Error><Code>InternalError</Code></Error>"] = "InternalError",
        ["<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"] = "BadAnswer",
        [head .. "<Contents><Key>%zz</Key><Size>1</Size></Contents></ListBucketResult>"] = "BadAnswer",
        [head .. "<Contents><Size>1</Size></Contents></ListBucketResult>"] = "BadAnswer",
        [head .. "<Contents><Key>a</Key><Size>x</Size></Contents></ListBucketResult>"] = "BadAnswer" } do
        local wrong = { 200, body = body }
        answers(wrong, wrong)
        assert.are.same({}, bucket:list "")
        answers(wrong, wrong, wrong)
        fails(code, bucket:list "")
      end
    end)

    it("doesn't go round in circles", function()
      local page = { 200, body = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
        .. "</NextContinuationToken></ListBucketResult>" }
      answers(page, page)
      fails("BadAnswer", bucket:list "")
    end)
  end)

  describe("in another region", function()
    local function redirect(status, code, region)
      local answer = fake_s3.refuse(status, code)
      answer.headers["x-amz-bucket-region"] = region
      return answer
    end

    it("is found there and stays there", function()
      server.objects.a = "x"
      for status, code in pairs { [301] = "PermanentRedirect", [307] = "TemporaryRedirect",
        [400] = "AuthorizationHeaderMalformed" } do
        bucket, world.requests = open(), {}
        answers(redirect(status, code, "eu-west-3"))
        assert.are.equal("x", (bucket:get "a"))
        assert.are.equal("https://bucket.s3.eu-west-3.amazonaws.com/a", world.requests[2].url)
        assert.matches("eu%-west%-3 s3", world:sent "authorization")
        assert(bucket:head "a")
        assert.are.equal(3, #world.requests)
        assert.matches("eu%-west%-3", world.requests[3].url)
      end
    end)

    it("also by HEAD, whose answer has no body", function()
      server.objects.a = "x"
      answers { 400, headers = { ["x-amz-bucket-region"] = "eu-west-3" } }
      assert(bucket:head "a")
      assert.are.equal(2, #world.requests)
    end)

    it("is followed once a call, to a region only", function()
      answers(redirect(301, "PermanentRedirect", "eu-west-3"), redirect(301, "PermanentRedirect", "eu-west-2"))
      fails("PermanentRedirect", bucket:get "a")
      assert.are.equal(2, #world.requests)
      for _, region in ipairs { "evil.example/", "eu-central-1", "x@y", "" } do
        bucket, world.requests = open(), {}
        answers(redirect(301, "PermanentRedirect", region))
        fails("PermanentRedirect", bucket:get "a")
        assert.are.equal(1, #world.requests)
      end
    end)

    it("isn't looked for away from an endpoint of the operator's, but signed for as it wants", function()
      bucket = open { endpoint = "http://127.0.0.1:9" }
      answers(redirect(301, "PermanentRedirect", "eu-west-3"))
      fails("PermanentRedirect", bucket:get "a")
      server.objects.a = "x"
      answers(redirect(400, "AuthorizationHeaderMalformed", "eu-west-3"))
      assert.are.equal("x", (bucket:get "a"))
      assert.are.equal("http://127.0.0.1:9/bucket/a", world.requests[3].url)
      assert.matches("eu%-west%-3", world:sent "authorization")
    end)

    it("still knows of an attempt that may have been carried out", function()
      answers(lose, redirect(307, "TemporaryRedirect", "eu-west-3"))
      assert(bucket:put("a", "1", { if_none_match = true }))
    end)
  end)

  it("tells \"/a\" from \"a\", in both styles", function()
    for _, path_style in ipairs { true, false } do
      bucket = open { path_style = path_style }
      for _, key in ipairs { "a", "/a", "a//b", "a/../b", "a/./b", "a b", "a+b", "a%20b", "ü", "a?b#c" } do
        assert(bucket:put(key, key))
        assert.are.equal(key, server.objects[key])
        assert.are.equal(key, (bucket:get(key)))
      end
    end
    assert.are.equal("https://bucket.s3.eu-central-1.amazonaws.com//a", (function()
      assert(bucket:get "/a")
      return world.requests[#world.requests].url
    end)())
  end)

  it("refuses what can't be a bucket, and misuse", function()
    local none, message, code = s3.open { client = world:client(), bucket = "arn:aws:s3:::x" }
    assert.is_nil(none)
    assert.are.equal("configuration", code)
    assert.matches("ARN", message)
    assert.error_matches(function() s3.open { bucket = "bucket" } end, "expected s3.open")
    assert.error_matches(function() bucket:get("a", { range = { 3, 2 } }) end, "expected bucket:get")
    assert.error_matches(function() bucket:get("a", { limit = 3 }) end, "unknown option")
    assert.error_matches(function() bucket:put("a", "x", { if_match = "a\r\nb" }) end, "expected an ETag")
  end)
end)
