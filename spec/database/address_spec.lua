local address = require "submitter.database.address"

describe("a conninfo", function()
  it("is read as words, quoted ones too", function()
    assert.are.same({ host = "db.example", dbname = "grade book", user = "o'hara", password = "a\\b c", port = "5433" },
      address.read [[host=db.example dbname='grade book' user = o\'hara password='a\\b c' port=5433]])
    assert.are.same({}, address.read(nil))
    assert.are.same({}, address.read "")
    assert.are.same({ password = "" }, address.read "password=''")
  end)

  it("is read as a URI", function()
    assert.are.same(
      { user = "a b", password = "p@ss", hosts = "h1:1,h2:2", dbname = "grades", sslmode = "verify-full" },
      address.read "postgresql://a%20b:p%40ss@h1:1,h2:2/grades?sslmode=verify-full")
    assert.are.same({ host = "/run/pg", password = "x" }, address.read "postgres://?host=%2Frun%2Fpg&password=x")
    assert.are.same({ user = "u", hosts = "h" }, address.read "postgres://u@h")
  end)

  it("is described without its password", function()
    local shown = {
      [""] = "a database of the PG… variables",
      ["service=grades"] = "a database of the service grades",
      ["host=h port=1 dbname=d user=u password=secret"] = "database d at h, port 1 as u",
      ["postgres://u:secret@h:1/d"] = "database d at h:1 as u",
      ["dbname=d password=secret"] = "database d",
    }
    for url, text in pairs(shown) do assert.are.equal(text, address.describe(url)) end
  end)

  -- What libpq 15 says about them.
  it("doesn't show its secrets in libpq's messages", function()
    local cases = {
      { "postgres://u:hun/ter2@h/d", [[invalid integer value "hun" for connection option "port"]] },
      { "postgres://u:hunter2@[::1",
        'end of string reached when looking for matching "]" in IPv6 host address in URI: "postgres://u:hunter2@[::1"',
      },
      { "host=h password=hun ter2", [[missing "=" after "ter2" in connection info string]] },
      { "host=h password='hunter2", [[unterminated quoted string in connection info string]] },
      { "postgres://u:hun%zzter2@h", [[invalid percent-encoded token: "hun%zzter2"]] },
      { "postgres://u:x@hunter2@h/d", [[could not translate host name "hunter2@h" to address: Name not known]] },
      { "password=hunter2", [[something that says hunter2]] },
      { "postgres://u@h/d?password=hunter%32", [[something that says hunter2]] },
      { "host=h sslpassword=hunter2", [[something that says hunter2]] },
    }
    for _, case in ipairs(cases) do
      local shown = address.redact(case[2], case[1])
      assert.is_nil(shown:find("hun", 1, true), shown)
      assert.is_nil(shown:find("ter2", 1, true), shown)
    end
  end)

  it("leaves the rest of a message as it is", function()
    local message = [[connection to server at "h", port 5432 failed: FATAL:  database "d" does not exist]]
    assert.are.equal(message, address.redact(message, "host=h dbname=d password=%d+"))
    assert.are.equal(message, address.redact(message, "host=h dbname=d password=''"))
    assert.are.equal(message, address.redact(message, nil))
    assert.are.equal("it says …!", address.redact("it says %d+!", "password=%d+"))
  end)
end)
