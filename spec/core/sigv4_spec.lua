local host = require "submitter.host"

local sigv4 = host.sigv4
local EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
local SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

--- A request with what a test doesn't care about.
local function request(changes)
  local made = { access_key_id = "AKIDEXAMPLE", secret_access_key = SECRET, method = "GET",
    url = "https://example.amazonaws.com/",
    region = "us-east-1", service = "service", time = 1440938160 }
  for key, value in pairs(changes or {}) do made[key] = value end
  return made
end

local function sign(changes)
  return sigv4.sign(request(changes))
end

local function lines(text)
  local list = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do list[#list + 1] = line end
  return list
end

local function canonical_path(path, changes)
  changes = changes or {}
  changes.url = "https://example.amazonaws.com" .. path
  return lines(sign(changes).canonical_request)[2]
end

local function canonical_query(query)
  return lines(sign { url = "https://example.amazonaws.com/" .. query }.canonical_request)[3]
end

--- "name:value" lines of the canonical request, but for Host and X-Amz-Date, and the signed names.
local function canonical_headers(headers, changes)
  changes = changes or {}
  changes.headers = headers
  local found, all = {}, lines(sign(changes).canonical_request)
  for index = 4, #all - 3 do
    if not all[index]:find "^host:" and not all[index]:find "^x%-amz%-date:" then found[#found + 1] = all[index] end
  end
  return found, all[#all - 1]
end

local function header(signed, name)
  local found
  for _, pair in ipairs(signed.headers) do
    if pair[1]:lower() == name:lower() then
      assert.is_nil(found)
      found = pair[2]
    end
  end
  return found
end

describe("core.sigv4", function()
  describe("signs the examples of Amazon's S3 API Reference", function()
    -- Its pages on signature calculations: "Transferring Payload in a Single Chunk", "Using Query Parameters",
    -- "Transferring Payload in Multiple Chunks".
    local function s3(changes)
      changes.access_key_id = "AKIAIOSFODNN7EXAMPLE"
      changes.secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
      changes.service, changes.time = "s3", 1369353600
      changes.url = changes.url or "https://examplebucket.s3.amazonaws.com" .. changes.target
      changes.target = nil
      return sign(changes)
    end

    it("GET Object", function()
      local signed = s3 { target = "/test.txt", headers = { { "Range", "bytes=0-9" } } }
      assert.are.equal("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", signed.signature)
      assert.are.equal([[
GET
/test.txt

host:examplebucket.s3.amazonaws.com
range:bytes=0-9
x-amz-content-sha256:]] .. EMPTY_SHA256 .. [[

x-amz-date:20130524T000000Z

host;range;x-amz-content-sha256;x-amz-date
]] .. EMPTY_SHA256, signed.canonical_request)
      assert.are.equal([[
AWS4-HMAC-SHA256
20130524T000000Z
20130524/us-east-1/s3/aws4_request
7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972]], signed.string_to_sign)
      assert.are.equal("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        .. "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        .. "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", header(signed,
          "Authorization"))
      assert.are.equal("https://examplebucket.s3.amazonaws.com/test.txt", signed.url)
    end)

    it("GET Object, with the headers written out as the page has them", function()
      local signed = s3 { target = "/test.txt", headers = { { "Host", "examplebucket.s3.amazonaws.com" },
        { "Range", "bytes=0-9" }, { "x-amz-content-sha256", " " .. EMPTY_SHA256 }, { "x-amz-date",
          "20130524T000000Z " } } }
      assert.are.equal("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", signed.signature)
      assert.are.equal(5, #signed.headers)
    end)

    it("PUT Object", function()
      local signed = s3 { method = "PUT", target = "/test$file.text", encode_path = true,
        body = "Welcome to Amazon S3.",
        headers = { { "Date", "Fri, 24 May 2013 00:00:00 GMT" }, { "x-amz-storage-class", "REDUCED_REDUNDANCY" } } }
      assert.are.equal("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd", signed.signature)
      assert.are.equal("/test%24file.text", lines(signed.canonical_request)[2])
      local on_the_wire = s3 { method = "PUT", target = "/test%24file.text", body = "Welcome to Amazon S3.",
        headers = { { "Date", "Fri, 24 May 2013 00:00:00 GMT" }, { "x-amz-storage-class", "REDUCED_REDUNDANCY" } } }
      assert.are.equal(signed.signature, on_the_wire.signature)
    end)

    it("GET Bucket Lifecycle", function()
      local signed = s3 { target = "/?lifecycle" }
      assert.are.equal("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", signed.signature)
      assert.are.equal("lifecycle=", lines(signed.canonical_request)[3])
    end)

    it("GET Bucket (List Objects)", function()
      local signed = s3 { target = "/?max-keys=2&prefix=J" }
      assert.are.equal("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", signed.signature)
      assert.are.equal(signed.signature, s3 { target = "?prefix=J&max-keys=2" }.signature)
    end)

    it("a presigned URL", function()
      local signed = s3 { target = "/test.txt", expires_s = 86400 }
      assert.are.equal("https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        .. "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        .. "&X-Amz-Date=20130524T000000Z"
        .. "&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        .. "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", signed.url)
      assert.are.equal("UNSIGNED-PAYLOAD", signed.canonical_request:match "[^\n]*$")
      assert.are.same({ { "Host", "examplebucket.s3.amazonaws.com" } }, signed.headers)
    end)

    it("the seed of a chunked upload", function()
      local signed = s3 { method = "PUT", url = "https://s3.amazonaws.com/examplebucket/chunkObject.txt",
        payload_hash = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", headers = { { "Content-Encoding", "aws-chunked" },
          { "x-amz-storage-class", "REDUCED_REDUNDANCY" }, { "x-amz-decoded-content-length", "66560" },
          { "Content-Length", "66824" } } }
      assert.are.equal("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", signed.signature)
      assert.are.equal("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", header(signed, "x-amz-content-sha256"))
    end)
  end)

  it("signs the example of the IAM User Guide", function()
    local signed = sign { url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08", service = "iam",
      headers = { { "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" } } }
    assert.are.equal("5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7", signed.signature)
    assert.are.equal("f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
      signed.string_to_sign:match "[^\n]*$")
  end)

  describe("canonical path", function()
    it("is normalized and encoded once more, but for S3", function()
      for path, expected in pairs {
        [""] = "/", ["/"] = "/", ["//"] = "/", ["/."] = "/", ["/./"] = "/", ["/.."] = "/", ["/../../a"] = "/a",
        ["/a/.."] = "/", ["/a/../"] = "/", ["/a/b/../c/"] = "/a/c/", ["//a//b//"] = "/a/b/", ["/a/."] = "/a",
        ["/a/..b/.c"] = "/a/..b/.c", ["/a%20b"] = "/a%2520b", ["/a b"] = "/a%20b", ["/ሴ"] = "/%E1%88%B4",
        ["/-._~aZ09"] = "/-._~aZ09", ["/$+:@!"] = "/%24%2B%3A%40%21", ["/a#b"] = "/a%23b",
        ["/%2e%2e/a"] = "/%252e%252e/a",
      } do
        assert.are.equal(expected, canonical_path(path))
      end
    end)

    it("is the one on the wire for S3", function()
      for path, expected in pairs {
        [""] = "/", ["/"] = "/", ["//"] = "//", ["/a/../b/./"] = "/a/../b/./", ["/a%20b%2Fc"] = "/a%20b%2Fc",
        ["/$+:@!"] = "/$+:@!",
      } do
        assert.are.equal(expected, canonical_path(path, { service = "s3" }))
        assert.are.equal(expected, canonical_path(path, { normalize_path = false, encode_path = false }))
      end
    end)

    it("takes either rule without the other", function()
      assert.are.equal("//a%20b/../", canonical_path("//a b/../", { normalize_path = false }))
      assert.are.equal("/a%20b/", canonical_path("//a%20b/c/..//", { encode_path = false }))
      assert.are.equal("/a%2520b", canonical_path("/a%20b", { service = "s3", encode_path = true }))
      assert.are.equal("/a", canonical_path("/b/../a", { service = "s3", normalize_path = true }))
    end)
  end)

  it("sorts, decodes and encodes the query", function()
    for query, expected in pairs {
      [""] = "", ["?"] = "", ["?&&"] = "", ["?b=2&a=1"] = "a=1&b=2", ["?a=2&a=1&a"] = "a=&a=1&a=2",
      ["?B=1&a=2&A=3"] = "A=3&B=1&a=2", ["?a-b=1&a=2"] = "a=2&a-b=1", ["?=x&y"] = "=x&y=", ["?a=b=c"] = "a=b%3Dc",
      ["?a=%62%2f"] = "a=b%2F", ["?ሴ=bar"] = "%E1%88%B4=bar", ["?z=1&%E1%88%B4=2"] = "%E1%88%B4=2&z=1",
      ["?a=b c+d"] = "a=b%20c%2Bd", ["?a=-._~"] = "a=-._~", ["?a=%00"] = "a=%00", ["??a=1"] = "%3Fa=1",
      ["?prefix=a/b&list-type=2"] = "list-type=2&prefix=a%2Fb",
    } do
      assert.are.equal(expected, canonical_query(query))
    end
  end)

  describe("headers", function()
    it("are sorted, in lower case, trimmed, runs of blanks one", function()
      local found, names = canonical_headers { { "Zebra", "  a   b \t c  " }, { "apple", "x" }, { "B-2", "" }, { "B-1",
        "\"q   q\"" } }
      assert.are.same({ "apple:x", "b-1:\"q q\"", "b-2:", "zebra:a b c" }, found)
      assert.are.equal("apple;b-1;b-2;host;x-amz-date;zebra", names)
    end)

    it("of one name are one, in their order", function()
      local found, names = canonical_headers { { "A", "4" }, { "b", "x" }, { "a", "1" }, { "A", "3" } }
      assert.are.same({ "a:4,1,3", "b:x" }, found)
      assert.are.equal("a;b;host;x-amz-date", names)
    end)

    it("may be folded; what is sent isn't", function()
      local folded = { { "My-Header", "value1\r\n  value2\n\tvalue3" } }
      assert.are.same({ "my-header:value1 value2 value3" }, (canonical_headers(folded)))
      assert.are.equal("value1 value2 value3", header(sign { headers = folded }, "My-Header"))
      assert.are.equal("value1\r\n  value2\n\tvalue3", folded[1][2])
    end)

    it("that are changed on the way aren't signed", function()
      local found = canonical_headers { { "User-Agent", "x" }, { "Connection", "close" }, { "EXPECT", "100-continue" },
        { "X-Amzn-Trace-Id", "x" }, { "Transfer-Encoding", "chunked" }, { "Proxy-Anything", "x" },
          { "Sec-WebSocket-Key", "x" },
        { "Cache-Control", "no-cache" }, { "Keep-Alive", "x" }, { "Proxies", "signed" }, { "Date", "signed" } }
      assert.are.same({ "date:signed", "proxies:signed" }, found)
    end)

    it("to send are the given ones as they stand, and what belongs to them", function()
      local signed = sign { headers = { { "B", " 1 " }, { "a", "2" }, { "b", "3" } }, sign_body_header = true,
        body = "x", method = "POST" }
      assert.are.same({ { "Host", "example.amazonaws.com" }, { "B", " 1 " }, { "a", "2" }, { "b", "3" } },
        table.move(signed.headers, 1, 4, 1, {}))
      local names = {}
      for index = 5, #signed.headers do names[#names + 1] = signed.headers[index][1] end
      assert.are.same({ "Authorization", "X-Amz-Date", "x-amz-content-sha256" }, names)
      assert.are.equal(host.digest.sha256 "x", header(signed, "x-amz-content-sha256"))
      assert.are.equal("20150830T123600Z", header(signed, "X-Amz-Date"))
    end)

    it("Host is the URL's, with its port unless that is the scheme's", function()
      for url, expected in pairs {
        ["https://a.b"] = "a.b", ["https://a.b:443/"] = "a.b", ["http://a.b:80?x"] = "a.b", ["https://a.b:/"] = "a.b",
        ["http://a.b:443/"] = "a.b:443", ["HTTPS://A.b:8443/x"] = "A.b:8443",
        ["http://127.0.0.1:9000/"] = "127.0.0.1:9000", ["http://[::1]:9000/"] = "[::1]:9000",
      } do
        local signed = sign { url = url }
        assert.are.equal(expected, header(signed, "host"))
        assert.matches("\nhost:" .. expected:gsub("%p", "%%%0") .. "\n", signed.canonical_request)
      end
      local given = sign { url = "http://127.0.0.1:9000/", headers = { { "host", "bucket.example" } } }
      assert.are.equal("bucket.example", header(given, "Host"))
      assert.matches("\nhost:bucket.example\n", given.canonical_request)
    end)
  end)

  describe("the session token", function()
    local TOKEN = "AQoDYXdzEPT//////////wEXAMPLE+token=="

    it("is signed, or sent unsigned", function()
      local signed = sign { session_token = TOKEN }
      assert.is_truthy(signed.canonical_request:find("\nx-amz-security-token:" .. TOKEN, 1, true))
      assert.are.equal(TOKEN, header(signed, "X-Amz-Security-Token"))
      local omitted = sign { session_token = TOKEN, omit_session_token = true }
      assert.are.equal(sign().signature, omitted.signature)
      assert.are.equal(TOKEN, header(omitted, "X-Amz-Security-Token"))
      local given = sign { session_token = TOKEN, headers = { { "x-amz-security-token", TOKEN } } }
      assert.are.equal(signed.signature, given.signature)
      assert.are.equal(omitted.signature, sign { session_token = TOKEN, omit_session_token = true,
        headers = { { "x-amz-security-token", TOKEN } } }.signature)
    end)

    it("goes to the query of a signed URL", function()
      local signed = sign { session_token = TOKEN, expires_s = 60 }
      local encoded = "X-Amz-Security-Token=AQoDYXdzEPT%2F%2F%2F%2F%2F%2F%2F%2F%2F%2FwEXAMPLE%2Btoken%3D%3D"
      assert.is_truthy(signed.url:find(encoded, 1, true))
      assert.is_truthy(signed.canonical_request:find(encoded, 1, true))
      assert.are.same({ { "Host", "example.amazonaws.com" } }, signed.headers)
      local omitted = sign { session_token = TOKEN, expires_s = 60, omit_session_token = true }
      assert.is_truthy(omitted.url:find(encoded, 1, true))
      assert.are.equal(sign { expires_s = 60 }.signature, omitted.signature)
    end)

    it("that is empty is none", function()
      local signed = sign { session_token = "" }
      assert.are.equal(sign().signature, signed.signature)
      assert.is_nil(header(signed, "X-Amz-Security-Token"))
    end)
  end)

  it("signs a body, its hash, or neither", function()
    local body = ("x"):rep(100000)
    local signed = sign { method = "POST", body = body }
    assert.are.equal(host.digest.sha256(body), signed.canonical_request:match "[^\n]*$")
    assert.are.equal(signed.signature, sign { method = "POST", payload_hash = host.digest.sha256(body) }.signature)
    assert.are.equal(sign { method = "POST" }.signature, sign { method = "POST", body = "" }.signature)
    local unsigned = sign { service = "s3", method = "PUT", body = body, payload_hash = "UNSIGNED-PAYLOAD" }
    assert.are.equal("UNSIGNED-PAYLOAD", header(unsigned, "x-amz-content-sha256"))
    assert.are.equal(unsigned.signature, sign { service = "s3", method = "PUT", body = body,
      headers = { { "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD" } } }.signature)
  end)

  describe("signed URLs", function()
    it("keep the query that was there", function()
      local signed = sign { url = "https://example.amazonaws.com/a?b=c%2fd&x", expires_s = 1 }
      assert.matches("^https://example.amazonaws.com/a%?b=c%%2fd&x&X%-Amz%-Algorithm=AWS4%-HMAC%-SHA256&", signed.url)
      assert.matches("&X%-Amz%-Expires=1&X%-Amz%-SignedHeaders=host&X%-Amz%-Signature=%x+$", signed.url)
      assert.matches("&X%-Amz%-SignedHeaders=host&b=c%%2Fd&x=$", lines(signed.canonical_request)[3])
      for given, joined in pairs { [""] = "?", ["?"] = "", ["?a"] = "&", ["?a="] = "&", ["?a&"] = "", ["?a?"] = "&",
        ["??"] = "&" } do
        local url = "https://example.amazonaws.com/" .. given
        assert.are.equal(url .. joined .. "X-Amz-Algorithm=", sign { url = url,
          expires_s = 1 }.url:match "^.-X%-Amz%-Algorithm=")
      end
    end)

    it("name the headers to send with them", function()
      local signed = sign { expires_s = 604800, method = "PUT", headers = { { "Content-Type", "text/plain" },
        { "User-Agent", "x" } } }
      assert.matches("X%-Amz%-SignedHeaders=content%-type%%3Bhost&", signed.url)
      assert.is_nil(header(signed, "Authorization"))
      assert.is_nil(header(signed, "X-Amz-Date"))
      assert.are.equal(EMPTY_SHA256, signed.canonical_request:match "[^\n]*$")
    end)
  end)

  it("knows every date with a four-digit year", function()
    for time, expected in pairs {
      [0] = "19700101T000000Z", [-1] = "19691231T235959Z", [951782400] = "20000229T000000Z",
      [951868800] = "20000301T000000Z", [1709164800] = "20240229T000000Z", [1735689599] = "20241231T235959Z",
      [4107542400] = "21000301T000000Z", [253402300799] = "99991231T235959Z", [-62167219200] = "00000101T000000Z",
      [-62135596800] = "00010101T000000Z", [2147483648] = "20380119T031408Z",
    } do
      assert.are.equal(expected, header(sign { time = time }, "X-Amz-Date"))
    end
    for _, time in ipairs { 253402300800, -62167219201, math.maxinteger, math.mininteger } do
      assert.error_matches(function() sign { time = time } end,
        "time is seconds since the epoch, within the years 0 to 9999")
    end
  end)

  describe("credentials", function()
    local function open(token)
      return sigv4.credentials { access_key_id = "AKIDEXAMPLE", secret_access_key = SECRET, session_token = token }
    end

    local function with(keys, changes)
      local made = request(changes)
      made.access_key_id, made.secret_access_key, made.credentials = nil, nil, keys
      return sigv4.sign(made)
    end

    it("sign as the three fields do, again and again, whatever was signed in between", function()
      local keys <close> = open "token"
      for _ = 1, 2 do
        for day = 0, 2 do
          for _, service in ipairs { "s3", "sqs", "sts" } do
            for _, region in ipairs { "us-east-1", "eu-central-1" } do
              local changes = { service = service, region = region, time = 1440938160 + day * 86400 }
              local signature = with(keys, changes).signature
              changes.session_token = "token"
              assert.are.equal(sign(changes).signature, signature)
            end
          end
        end
      end
    end)

    it("show nothing of what they hold, and are gone once closed", function()
      local keys = open "TOKENTOKEN"
      assert.are.equal("credentials", tostring(keys))
      keys:close()
      keys:close()
      assert.are.equal("credentials (closed)", tostring(keys))
      assert.error_matches(function() with(keys) end, "these credentials were closed")
    end)

    it("never appear in messages", function()
      local secret, token = "SECRETSECRET", "TOKEN\nTOKEN"
      for _, case in ipairs {
        { function() sigv4.credentials { access_key_id = "a/b", secret_access_key = secret } end,
          "access_key_id is visible" },
        { function() sigv4.credentials { access_key_id = "a", secret_access_key = secret, session_token = token } end,
          "session_token is" },
        { function() sigv4.credentials { access_key_id = "a", secret_access_key = "" } end,
          "secret_access_key is empty" },
        { function() sign { secret_access_key = secret, session_token = "TOKEN", headers = { { "x-amz-security-token",
          "other" } } } end,
          "isn't session_token" },
      } do
        local good, message = pcall(case[1])
        assert.is_false(good)
        assert.matches(case[2], message)
        assert.is_nil(message:find("SECRET", 1, true) or message:find("TOKEN", 1, true))
      end
    end)

    it("come one way or the other", function()
      local keys <close> = open()
      assert.error_matches(function() sign { credentials = keys } end, "not both")
      assert.error_matches(function() with(keys, { session_token = "x" }) end, "not both")
      assert.error_matches(function() with("AKID") end,
        "option credentials comes from sigv4.credentials, and isn't a string")
      assert.error_matches(function() with(io.stdout) end, "comes from sigv4.credentials")
      assert.error_matches(function() with(nil) end,
        "access_key_id and secret_access_key are missing; expected sigv4.sign {")
      assert.error_matches(function() sigv4.credentials() end, "expected sigv4.credentials {")
      assert.error_matches(function() sigv4.credentials { access_key_id = "a" } end, "are missing")
      assert.error_matches(function() sigv4.credentials { secret = "a" } end, 'unknown option "secret"')
    end)
  end)

  describe("refuses", function()
    local function refuses(changes, message)
      assert.error_matches(function() sign(changes) end, message, 1, true)
    end

    it("what is missing, unknown or of another type", function()
      for _, key in ipairs { "method", "url", "region", "service", "time" } do
        local made = request()
        made[key] = nil
        assert.error_matches(function() sigv4.sign(made) end, key .. " is missing.*expected sigv4.sign {")
        made[key] = true
        assert.error_matches(function() sigv4.sign(made) end, "option " .. key .. " is an? %w+, not a boolean")
      end
      assert.error_matches(function() sigv4.sign() end, "expected sigv4.sign {")
      assert.error_matches(function() sigv4.sign "x" end, "options are a table, not a string")
      refuses({ verb = "GET" }, 'unknown option "verb"')
      refuses({ body = 1 }, "option body is a string, not a number")
      refuses({ encode_path = "yes" }, "option encode_path is true or false")
      refuses({ time = 1.5 }, "option time is an integer")
      refuses({ time = "1440938160" }, "option time is an integer")
      refuses({ region = "" }, "region is a name")
      refuses({ region = "us east" }, "region is a name")
      refuses({ region = ("x"):rep(65) }, "region is a name")
      refuses({ service = "s3/x" }, "service is a name")
      refuses({ method = "" }, "method is a word")
      refuses({ method = "GET /" }, "method is a word")
    end)

    it("a URL that isn't one", function()
      for _, url in ipairs { "", "/path", "example.com/", "ftp://a/", "https:/a", "https:a" } do
        refuses({ url = url }, "doesn't begin with http:// or https://")
      end
      for _, url in ipairs { "https://", "https:///x", "https://?x", "https://a b/", "https://u@h/", "https://h:x/",
        "https://h:65536/",
        "https://h:0/", "https://[::1/", "https://[]/", "https://[::1]x/", "https://h#f", "https://ሴ/" } do
        refuses({ url = url }, "the URL's host isn't NAME or NAME:PORT")
      end
      refuses({ url = "https://h/a\r\nb" }, "control character")
      refuses({ url = "https://h/?a\0" }, "control character")
      refuses({ url = "https://h/?a=%" }, 'a "%" that isn\'t followed by two hexadecimal digits')
      refuses({ url = "https://h/?%4x" }, 'a "%" that isn\'t followed')
      refuses({ url = "https://h/a b", service = "s3" }, "percent-encode it, or set encode_path")
      refuses({ url = "https://h/ሴ", service = "s3" }, "percent-encode it, or set encode_path")
      refuses({ url = "https://h/a#b", service = "s3" }, "fragment")
      refuses({ url = "https://h/?a#b", service = "s3" }, "fragment")
    end)

    it("headers that can't be sent as they are", function()
      refuses({ headers = "x" }, "headers is a list of pairs")
      refuses({ headers = { Range = "x" } }, "headers is a list of pairs")
      refuses({ headers = { { "a", "1" }, Range = "x" } }, "headers is a list of pairs")
      refuses({ headers = { { "a", "1" }, { "a" } } }, "headers[2] is a pair of strings")
      refuses({ headers = { { "a", "1", "2" } } }, "headers[1] is a pair of strings")
      refuses({ headers = { { "a", 1 } } }, "headers[1] is a pair of strings")
      refuses({ headers = { "a: 1" } }, "headers[1] is a pair of strings")
      for _, name in ipairs { "", "a b", "a:", "a\n", "ü", "a\0", "(a)" } do
        refuses({ headers = { { name, "x" } } }, "name isn't a token")
      end
      for _, value in ipairs { "a\nb", "a\r\nb", "a\r", "a\n", "a\r b", "\0", "a\127", "\27[0m", "a\n\n b" } do
        refuses({ headers = { { "a", value } } }, "control character, or a line end")
      end
      refuses({ headers = { { "Authorization", "x" } } }, "Authorization, which signing writes")
      refuses({ headers = { { "Host", "a" }, { "host", "a" } } }, "twice")
      refuses({ headers = { { "Host", "" } } }, "Host is empty")
      refuses({ headers = { { "X-Amz-Date", "20150830T123601Z" } } }, "isn't time")
      refuses({ headers = { { "x-amz-content-sha256", "x" } } }, "x-amz-content-sha256 is 64 hexadecimal digits")
      refuses({ headers = { { "x-amz-content-sha256", EMPTY_SHA256 } }, payload_hash = "UNSIGNED-PAYLOAD" },
        "isn't payload_hash")
    end)

    it("what belongs to a signed URL, where it doesn't", function()
      for _, expires_s in ipairs { 0, -1, 604801, math.maxinteger } do
        refuses({ expires_s = expires_s }, "expires_s is 1 to 604800")
      end
      refuses({ expires_s = 1, headers = { { "X-Amz-Date", "20150830T123600Z" } } }, "go to the query")
      for _, name in ipairs { "X-Amz-Signature", "x-amz-signature", "X-Amz-Credential", "X%2DAmz-Date",
        "X-Amz-Security-Token" } do
        refuses({ url = "https://h/?a&" .. name .. "=x" }, "another parameter of a signed URL")
      end
      refuses({ payload_hash = "x" }, "payload_hash is 64 hexadecimal digits")
      refuses({ payload_hash = EMPTY_SHA256:upper() }, "in lower case")
      refuses({ payload_hash = "STREAMING-\n" }, "payload_hash")
    end)
  end)

  it("changes nothing of what it is given, and gives the same twice", function()
    local given = request { headers = { { "B", "1\n 2" }, { "a", "2" } }, session_token = "t" }
    local before = host.json.encode(given)
    local first, second = sigv4.sign(given), sigv4.sign(given)
    assert.are.equal(before, host.json.encode(given))
    assert.are.same(first, second)
  end)

  it("takes many and long headers", function()
    local headers = {}
    for index = 2000, 1, -1 do headers[#headers + 1] = { ("h-%04d"):format(index), ("v"):rep(50) } end
    local found = canonical_headers(headers)
    assert.are.equal(2000, #found)
    assert.are.equal("h-0001:" .. ("v"):rep(50), found[1])
  end)
end)
