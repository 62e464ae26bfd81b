local sql_rule = require "spec.sql_rule"

describe("the rule about SQL", function()
  local statements = "lua/submitter/database/statements/x.lua"
  local required = 'local sql = require "submitter.database.statements.x"\n'

  local function refuses(name, text, line, words)
    local problems = sql_rule.problems(name, text)
    assert.is_true(#problems > 0, text)
    assert.matches(("^%s:%d: .*%s"):format(name:gsub("%p", "%%%0"), line, words:gsub("%p", "%%%0")), problems[1])
  end

  local function takes(name, text)
    assert.are.same({}, sql_rule.problems(name, text), text)
  end

  describe("in a module of statements", function()
    it("takes texts by their names", function()
      takes(statements, [==[
        --- Texts.. (of a kind)
        return {
          one = [[ SELECT 'a' || $1::text FROM submitter.cases -- not (a comment) of ours
          ]],
          --[[ more .. ]] two = "INSERT INTO x VALUES (1 + 1)"; three = [=[ SELECT a[1] FROM x ]=],
        }
      ]==])
      takes(statements, 'local all = {}\nall.one = "SELECT 1"\nreturn all')
    end)

    it("refuses what could make one", function()
      local all = "return {\n one = %s }"
      for text, words in pairs {
        ['"SELECT " .. name'] = "..", ['"SELECT %s":format(name)'] = ":", ['("SELECT"):format(name)'] = "(",
        ['format[[SELECT]]'] = "format is called", ['table.concat { "a" }'] = "concat is called",
        ['f "x"'] = "f is called", ["1 + 1"] = "+",
      } do
        local problems = sql_rule.problems(statements, all:format(text))
        assert.is_true(#problems > 0, text)
        assert.matches(statements .. ":2: " .. words, table.concat(problems, "\n"), 1, true)
      end
    end)
  end)

  describe("anywhere else", function()
    local name = "lua/submitter/some/room.lua"

    it("takes statements by name", function()
      takes(name, required .. "local result = pool:query(sql.read, { id }, { safe = true }) pool:query(sql.all)")
      takes(name, required .. "transaction:copy(\n  sql.insert,\n  rows)")
      takes(name, 'local cases = require "submitter.database.statements.cases"\npool:query(cases.read, {})')
      takes(name, "function Pool:query(anything) end local url = address.query(pairs)")
    end)

    it("refuses to send anything else", function()
      for _, text in ipairs {
        "pool:query(text, {})", 'pool:query("SELECT 1")', "pool:query(sql.read .. condition, {})", "pool:query[[x]]",
        "pool:query(sql[name], {})", "pool:query((sql.read), {})", "pool:query(sql.read:format(1), {})",
        "transaction:copy(text, rows)", "pool:query(other.read, {})", 'pool:query "x"', "pool:query(...)",
      } do
        refuses(name, required .. text, 2, "wants sql.NAME")
      end
      refuses(name, required .. "pcall(pool.query, pool, text)", 2, "taken as a function")
      refuses(name, required .. "pcall(other.query, other, text)", 2, "handed on as a function")
      refuses(name, required .. "self.pool.query(self.pool, text)", 2, "taken as a function")
      refuses(name, required .. "local send = transaction.copy", 2, "taken as a function")
      refuses(name, required .. 'pool["query"](pool, text)', 2, "taken as a function")
      refuses(name, "connection:script(text)", 1, ":script( is for transactions")
    end)

    it("refuses to make a name something else than its module", function()
      local words = "and for nothing else"
      refuses(name, 'local sql = { read = text }', 1, words)
      refuses(name, 'local sql = require "submitter.some.room"', 1, words)
      refuses(name, required .. "sql.read = text", 2, words)
      refuses(name, required .. "sql = other", 2, words)
      refuses(name, required .. "for sql in pairs(texts) do end", 2, words)
      refuses(name, required .. "local function ask(sql) end", 2, words)
      refuses(name, 'local cases = require "submitter.database.statements.cases"\ncases = {}', 2, words)
    end)

    it("refuses texts that look like statements", function()
      for _, text in ipairs {
        '"SELECT a FROM b"', "[[\n  select *\n  from b ]]", "'insert into b values (1)'", '"DELETE FROM cases"',
        '"update submitter.cases SET x = 1"', '"COPY b (x) FROM STDIN"', '"TRUNCATE submitter.cases"', '"drop table b"',
        '"CREATE TABLE b ()"', '"ALTER TABLE b ADD x int"', '"SELECT pg_advisory_lock(1)"', '"DELETE\\nFROM b"',
      } do
        refuses(name, "local text = " .. text, 1, "looks like a statement")
      end
      takes(name, '-- SELECT a FROM b\nlocal text = "it was selected, from the set of all; delete it, update it"')
    end)

    it("knows people from servers on the command line", function()
      local cli = "lua/submitter/cli/cases.lua"
      takes(cli, 'parser:description("Reads what you select from the bucket; then delete from it what is old.")')
      refuses(cli, 'local text = "SELECT a FROM b"', 1, "looks like a statement")
    end)

    it("lets the pool hand on what it was given, and no other file", function()
      local text = "local result = connection:query(text, parameters)"
      takes("lua/submitter/database/pool.lua", text)
      refuses("lua/submitter/database/other.lua", text, 1, "wants sql.NAME")
      refuses("lua/submitter/database/pool.lua", "connection:query(given, parameters)", 1, "wants sql.NAME")
      local door = "lua/submitter/database/migrations.lua"
      takes(door, required .. "connection:script(text) connection:script(text, {}) connection:script(sql.begin)")
      for _, given in ipairs { "'DROP ROLE ' .. name", "text .. name", "file.text", '"BEGIN"' } do
        refuses(door, ("connection:script(%s)"):format(given), 1, ":script( wants sql.NAME")
      end
      refuses(door, 'connection:script "BEGIN"', 1, ":script( wants sql.NAME")
    end)
  end)

  it("looks at the workflow's files alone", function()
    takes("lua/meta/postgres.lua", 'connection:query("SELECT 1 FROM x")')
  end)
end)
