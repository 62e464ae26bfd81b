--- How many small requests a second one host makes, beside the curl program on the same server.
---
---     build/submitter run spec/bench/http.lua [PAIRS]
---
--- 1,000 GETs of 100 bytes, 10 at a time, over plain HTTP/1.1 on 127.0.0.1: by http.request in 10 tasks, and by
--- `curl --parallel --parallel-max 10`, by turns, to build/test/http_server (csrc/test/http_server.c), which does as little as a
--- server can. What curl takes to start and to make one request is taken off its time. Connections are counted by the server.
local root = (arg[0]:match "^(.*)/[^/]*$" or ".") .. "/../.."
package.path = root .. "/?.lua;" .. package.path

local host = require "submitter.host"
local figures = require "spec.bench.figures"

local must, elapsed_ms = figures.must, figures.elapsed_ms
local pairs_count = tonumber(arg[1] or "5")
local REQUESTS, AT_ONCE, GOAL = 1000, 10, 0.9
local build = host.system.executable():match "^(.*)/"

local server = must(host.child.start { program = build .. "/test/http_server", stdin = "pipe", stdout = "pipe" })
local site = ("http://127.0.0.1:%d"):format(must(server:read "stdout"))

local function get(path)
  local response = must(host.http.request { url = site .. path, proxy = false })
  assert(response.status == 200, response.status)
  return response.body
end

local function connections()
  return tonumber(get "/connections")
end

local function by_tasks()
  local next_number, tasks = 1, {}
  for index = 1, AT_ONCE do
    tasks[index] = host.task.spawn("getting", function()
      while next_number <= REQUESTS do
        local number = next_number
        next_number = number + 1
        assert(#get("/" .. number) == 100)
      end
    end)
  end
  for _, task in ipairs(tasks) do must(task:join()) end
end

local function by_curl(count)
  local result = must(host.child.run {
    program = "/usr/bin/curl",
    arguments = { "--disable", "--silent", "--show-error", "--fail", "--noproxy", "*", "--parallel", "--parallel-max",
      tostring(AT_ONCE), "--output", "/dev/null", ("%s/[1-%d]"):format(site, count) },
  })
  assert(result.exit_code == 0, result.stderr)
end

-- What either opens beyond the one connection that counts.
local function opened_by(body, ...)
  local before = connections()
  local milliseconds = elapsed_ms(body, ...)
  return milliseconds, connections() - before
end

local ours, curls, opened, opened_by_curl = {}, {}, 0, 0
get "/" -- loads libcurl
for index = 1, pairs_count do
  local count
  ours[index], count = opened_by(by_tasks)
  opened = opened + count
  local start_ms = elapsed_ms(by_curl, 1)
  curls[index], count = opened_by(by_curl, REQUESTS)
  curls[index] = curls[index] - start_ms
  opened_by_curl = opened_by_curl + count
end
server:close_input()
server:wait()
server:close()

local function a_second(milliseconds)
  return figures.paired(milliseconds, milliseconds, function(value) return REQUESTS / value * 1000 end)
end

local ratio = figures.ratio(a_second(ours), a_second(curls))
print(("%d GETs, %d at once, %d pairs        median  (quartiles)"):format(REQUESTS, AT_ONCE, pairs_count))
print(("  http.request     %s, %d connections opened in all"):format(figures.spread(a_second(ours), "/s"), opened))
print(("  curl --parallel  %s, %d connections opened in all"):format(figures.spread(a_second(curls), "/s"),
  opened_by_curl))
print(("  as many as curl: %.2f x, goal %.1f: %s"):format(ratio, GOAL, ratio >= GOAL and "reached" or "MISSED"))
figures.keep("http.json", { ours_ms = ours, curl_ms = curls, ratio = ratio, opened = opened })
assert(opened < AT_ONCE, "connections are not used again")
os.exit(ratio >= GOAL)
