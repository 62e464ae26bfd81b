--- The rule that SQL is only ever written down, never put together: what a student brought can't become a part of a statement.
--- `spec/layers.lua` holds every file of lua/ against it.
---
--- 1. Modules of lua/submitter/database/statements are texts by name and nothing that could make a text.
--- 2. What is sent is `sql.NAME`, where `sql` (or another name) is such a module.
--- 3. No other file holds a text that looks like a statement.
local sql_rule = {}

local STATEMENTS = "lua/submitter/database/statements/"
local MODULE = "^submitter%.database%.statements%.[%w_]+$"
-- The ways of a statement to the server: they hand on what they are given, under this name.
local HANDED_ON = "text"
local doors = {
  ["lua/submitter/database/pool.lua"] = true, ["lua/submitter/database/transaction.lua"] = true,
  ["lua/submitter/database/migrations.lua"] = true,
}

-- ---- reading Lua ----

local escapes = { n = "\n", t = "\t", r = "\r", z = "", ["\n"] = "\n" }

-- From a quote to its end.
local function read_quoted(text, at)
  local quote, pieces = text:sub(at, at), {}
  at = at + 1
  while at <= #text and text:sub(at, at) ~= quote do
    local character = text:sub(at, at)
    if character == "\\" then
      at = at + 1
      character = escapes[text:sub(at, at)] or text:sub(at, at)
    end
    pieces[#pieces + 1] = character
    at = at + 1
  end
  return table.concat(pieces), at + 1
end

local function read_long(text, at)
  local equals = text:match("^%[(=*)%[", at)
  if not equals then return nil end
  local _, last, inside = text:find("^%[" .. equals .. "%[(.-)%]" .. equals .. "%]", at)
  if not last then error "a long bracket has no end" end
  return inside, last + 1
end

-- A comment, a string, a word, ".." or "...", or one other character: its kind, its text, and where the next one begins.
local function read_token(text, at)
  if text:find("^%-%-", at) then
    local _, after = read_long(text, at + 2)
    return "comment", "", after or (text:find("\n", at, true) or #text) + 1
  end
  local inside, after = read_long(text, at)
  if inside then return "string", inside, after end
  if text:find("^[\"']", at) then
    inside, after = read_quoted(text, at)
    return "string", inside, after
  end
  local word = text:match("^[%w_]+", at) or text:match("^%.%.%.?", at)
  if word then return "word", word, at + #word end
  return "other", text:sub(at, at), at + 1
end

local function tokens(text)
  local list, at, line = {}, 1, 1
  while true do
    local _, blank = text:find("^%s*", at)
    line = line + select(2, text:sub(at, blank):gsub("\n", ""))
    at = blank + 1
    if at > #text then return list end
    local kind, value, after = read_token(text, at)
    if kind ~= "comment" then list[#list + 1] = { kind = kind, text = value, line = line } end
    line = line + select(2, text:sub(at, after - 1):gsub("\n", ""))
    at = after
  end
end

-- ---- 1 ----

local plain_words = { ["return"] = true, ["local"] = true }
local plain_characters = { ["="] = true, ["{"] = true, ["}"] = true, [","] = true, [";"] = true, ["."] = true }

-- Neither an operator nor a call, be it one without parentheses.
local function check_statements(list, found)
  for index, token in ipairs(list) do
    local before = list[index - 1] or { kind = "other", text = "" }
    local may_be_called = before.kind == "word" and not plain_words[before.text]
    local is_operator = token.kind == "other" and not plain_characters[token.text]
    local is_concatenation = token.kind == "word" and token.text:find "^%.%."
    if may_be_called and (token.kind == "string" or token.text == "{") then
      found(token, ("%s is called with it; a module of statements holds texts only"):format(before.text))
    elseif is_operator or is_concatenation then
      found(token, ("%s: a statement is one text as it stands"):format(token.text))
    end
  end
end

-- ---- 2 ----

local senders = { query = true, copy = true }
-- What statements are sent by, as it is called everywhere: theirs is no `.query` of a URL.
local connections = { pool = true, transaction = true, connection = true, database = true, asked = true }
local methods = { query = true, copy = true, script = true }

local function text_at(list, index)
  local token = list[index]
  return token and token.kind ~= "string" and token.text or ""
end

local function is_required(list, at)
  local module = list[at + 3]
  return text_at(list, at - 1) == "local" and text_at(list, at + 1) == "=" and text_at(list, at + 2) == "require"
    and module ~= nil and module.kind == "string" and module.text:find(MODULE) ~= nil
end

-- The names under which a file has modules of statements.
local function modules_of(list)
  local names = { sql = true }
  for index, token in ipairs(list) do
    if token.kind == "word" and is_required(list, index) then names[token.text] = true end
  end
  return names
end

local function is_named(list, at, modules)
  return modules[text_at(list, at)] and text_at(list, at + 1) == "." and text_at(list, at + 2):find "^[%a_]"
    and (text_at(list, at + 3) == "," or text_at(list, at + 3) == ")")
end

local function is_handed_on(list, at)
  return text_at(list, at) == HANDED_ON and (text_at(list, at + 1) == "," or text_at(list, at + 1) == ")")
end

-- `pool.query`, `pool["query"]`: called so, or under another name, it is sent past this rule.
local function is_taken(list, index)
  local token, before = list[index], text_at(list, index - 1)
  if not methods[token.text] then return false end
  if token.kind == "string" then return before == "[" and text_at(list, index + 1) == "]" end
  return before == "." and connections[text_at(list, index - 2)] == true and text_at(list, index - 3) ~= "function"
end

-- `one:query(…)` with something else than sql.NAME; `one.query` as a value, with which the first argument can't be seen. Scripts
-- are for transactions and migrations, which are handed on like the rest.
local function check_sending(name, list, modules, found)
  for index, token in ipairs(list) do
    local before, after = text_at(list, index - 1), text_at(list, index + 1)
    if token.kind == "word" and senders[token.text] and before == ":" then
      local is_definition = text_at(list, index - 3) == "function"
      local good = is_named(list, index + 2, modules) or doors[name] and is_handed_on(list, index + 2)
      if not is_definition and (after ~= "(" or not good) then
        found(token, (":%s( wants sql.NAME, of a module of %s"):format(token.text, STATEMENTS))
      end
    elseif token.kind == "word" and token.text == "script" and before == ":" then
      local good = is_named(list, index + 2, modules) or is_handed_on(list, index + 2)
      if not doors[name] then
        found(token, ":script( is for transactions and migrations alone")
      elseif after ~= "(" or not good then
        found(token, (":script( wants sql.NAME, or the %s that was handed on"):format(HANDED_ON))
      end
    elseif is_taken(list, index) then
      found(token, token.text .. ", taken as a function: what it is given can't be seen")
    elseif token.text == "query" and before == "." and after == "," and text_at(list, index + 2):find "^[%a_]" then
      found(token, ".query, handed on as a function: what it is given can't be seen")
    end
  end
end

-- Such a name stands for its module everywhere in the file.
local function check_names(list, modules, found)
  for index, token in ipairs(list) do
    if token.kind == "word" and modules[token.text] and text_at(list, index - 1) ~= "." then
      local is_used = text_at(list, index + 1) == "." and text_at(list, index + 3) ~= "="
      if not is_used and not is_required(list, index) then
        found(token, ("%s stands for its module of %s in this file, and for nothing else"):format(token.text,
          STATEMENTS))
      end
    end
  end
end

-- ---- 3 ----

local function is_statement(text, loosely)
  if loosely then text = text:upper() end
  text = " " .. text:gsub("[^%w_.$]+", " ") .. " "
  return text:find " SELECT .-FROM " or text:find " INSERT INTO " or text:find " DELETE FROM "
    or text:find " UPDATE [%w_.]+ SET " or text:find " COPY .-FROM STDIN " or text:find " TRUNCATE [%w_.]+ "
    or text:find " CREATE TABLE " or text:find " ALTER TABLE " or text:find " DROP TABLE " or text:find "^ SELECT PG_"
end

-- The command line speaks to people, in small letters.
local function check_texts(name, list, found)
  local is_for_people = name:find "^lua/submitter/cli/"
  for _, token in ipairs(list) do
    if token.kind == "string" and is_statement(token.text, not is_for_people) then
      found(token, "a text that looks like a statement; it belongs into " .. STATEMENTS)
    end
  end
end

--- What is wrong with one Lua file.
---@param name string its path from the top of the tree
---@param text string
---@return string[] problems "path:line: what"
function sql_rule.problems(name, text)
  local problems, list = {}, tokens(text)
  local function found(token, what) problems[#problems + 1] = ("%s:%d: %s"):format(name, token.line, what) end
  if name:sub(1, #STATEMENTS) == STATEMENTS then
    check_statements(list, found)
  elseif name:find "^lua/submitter/" then
    local modules = modules_of(list)
    check_sending(name, list, modules, found)
    check_names(list, modules, found)
    check_texts(name, list, found)
  end
  return problems
end

return sql_rule
