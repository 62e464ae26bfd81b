--- The faults that spec/faults.lua seeds. Each: name, file, from (text that occurs there once), to, and suites, the
--- commands (in the copied tree) one of which must turn red, the cheapest first.
local function specs(...)
  local list = {}
  for _, path in ipairs { ... } do list[#list + 1] = "build/submitter run spec/run.lua spec/" .. path end
  return list
end

local attacks = "build/submitter run spec/sandbox/run.lua"
local runner = "make build/test/test_runner && build/test/test_runner"
local walls = "make build/test/test_walls && build/test/test_walls"
local alone = "make build/test/test_alone && build/test/test_alone"

return {
  -- ---- the host ----
  { name = "a cancelled task isn't interrupted", file = "csrc/host/task.c", suites = specs "core/task_spec.lua",
    from = "    operation->class->cancel(operation);\n", to = "" },
  { name = "a deadline's own time-out isn't recognised", file = "csrc/host/task.c", suites = specs "core/task_spec.lua",
    from = "own = token && *token == deadline->serial;", to = "own = token && *token != deadline->serial;" },
  { name = "links are followed unasked", file = "csrc/io/file.c", suites = specs "core/file_spec.lua",
    from = "(follow ? 0 : RESOLVE_NO_SYMLINKS)", to = "(follow ? RESOLVE_NO_SYMLINKS : 0)" },
  { name = "white space at the end: off by one", file = "csrc/io/text.c", suites = specs "core/text_spec.lua",
    from = "while (*length && is_space(bytes[*length - 1]))", to = "while (*length > 1 && is_space(bytes[*length - 1]))" },
  { name = "an unended double quote is accepted", file = "csrc/io/text.c", suites = specs "core/text_spec.lua",
    from = "                *position = start;\n                return TEXT_WORDS_QUOTE;",
    to = "                *position = start;\n                return TEXT_WORDS_OK;" },
  { name = "long integers go through a double", file = "csrc/bind/json.c", suites = specs "core/json_spec.lua",
    from = "digits <= 15 ||", to = "digits <= 19 ||" },
  { name = "a child inherits the ignored SIGPIPE", file = "csrc/io/child.c", suites = specs "core/child_spec.lua",
    from = "POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;", to = "POSIX_SPAWN_SETSIGMASK;" },

  -- ---- walls and runner ----
  { name = "the last case's files stay", file = "csrc/runner/scrub.c", suites = { runner, attacks },
    from = "if (scratch->file_bytes == file_bytes && untouched(scratch)) {", to = "if (untouched(scratch) || scratch->file_bytes > 0) {" },
  { name = "walls: sockets in flight are left", file = "csrc/runner/case.c", suites = { attacks .. " residue_in_flight" },
    from = "scrub_sockets(room->sockets, fault)", to = "scrub_sockets(UINT32_MAX, fault)" },
  { name = "walls: a group that only looks like ours is swept", file = "csrc/sandbox/cgroup.c", suites = { walls },
    from = '"0123456789abcdef") == RANDOM_DIGITS', to = '"0123456789abcdef") <= RANDOM_DIGITS' },
  { name = "walls: access lists can be set", file = "csrc/sandbox/rules/rules.c", suites = { attacks .. " memory_access_lists" },
    from = "SCMP_ACT_ERRNO(EOPNOTSUPP), unsupported", to = "SCMP_ACT_ALLOW, unsupported" },
  { name = "walls: the writable places are executable", file = "csrc/runner/scrub.c",
    suites = { attacks .. " unknown_formats" }, from = "MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME",
    to = "MS_NOSUID | MS_NODEV | MS_NOATIME" },
  { name = "walls: the runner's own group has no bounds", file = "csrc/sandbox/cgroup.h",
    suites = specs "core/walls_spec.lua", from = "CGROUP_RUNNER_PROCESSES = 16", to = "CGROUP_RUNNER_PROCESSES = 5000" },
  { name = "walls: a terminal can stop the supervisor", file = "csrc/sandbox/supervise.c", suites = { alone },
    from = "SIGTSTP", to = "SIGURG" },
  { name = "the frame's length isn't bounded", file = "csrc/protocol/protocol.c",
    suites = { "make build/test/test_protocol && build/test/test_protocol" },
    from = "    if (length > (size_t)most) {", to = "    if (most < 0) {" },

  -- ---- keys, queue, store, jobs ----
  { name = "a key may hold an upper-case subid", file = "lua/submitter/key.lua", suites = specs "key_spec.lua",
    from = 'not text:find("[^0-9a-f]")', to = 'not text:find("[^0-9a-fA-F]")' },
  { name = "tokens aren't sorted", file = "lua/submitter/submission.lua", suites = specs "submission_spec.lua",
    from = "  table.sort(tokens)\n", to = "" },
  { name = "an object's removal counts as its creation", file = "lua/submitter/notify/init.lua", suites = specs "notify",
    from = 'return name:find("^ObjectCreated:") ~= nil', to = 'return name:find("^Object") ~= nil' },
  { name = "another version of an event's record is believed", file = "lua/submitter/notify/init.lua",
    suites = specs "notify", from = 'version:find("^2%.%d+$")', to = 'version:find("^%d+%.%d+$")' },
  { name = "an event's bad record takes the good ones along", file = "lua/submitter/worker.lua",
    suites = specs "worker_spec.lua", from = "if not requests then return", to = "if not requests or #failed > 0 then return" },
  { name = "a FIFO queue's later records pass for done", file = "lua/submitter/lambda/handler.lua",
    suites = specs "lambda/handler_spec.lua", from = "failed[index] or in_order and index >= first", to = "failed[index]" },
  { name = "receiving isn't counted", file = "lua/submitter/queue/directory.lua", suites = specs "queue/directory_spec.lua",
    from = "  message.receives = message.receives + 1\n", to = "" },
  { name = "a damaged message is handled", file = "lua/submitter/aws/sqs.lua", suites = specs "aws/sqs_spec.lua",
    from = "given.MD5OfBody ~= host.digest.md5(message.body)", to = "false" },
  { name = "a failed entry of a batch passes for done", file = "lua/submitter/aws/sqs.lua",
    suites = specs "aws/sqs_spec.lua", from = "if undone[entry.Id] then", to = "if false then" },
  { name = "what the last poll brought stays hidden", file = "lua/submitter/queue/sqs.lua",
    suites = specs "queue/sqs_spec.lua", from = "if poll.left then give_back(self, poll.answer[1]) end", to = "" },
  { name = "one receipt is in two batches at once", file = "lua/submitter/queue/batches.lua",
    suites = specs "queue/batches_spec.lua", from = "  while self.busy[key] do self.busy[key].settled:wait() end\n", to = "" },
  { name = "an expired message stays hidden", file = "lua/submitter/queue/directory.lua",
    suites = specs "queue/directory_spec.lua",
    from = "names.parse_held(first).deadline_ms <= now_ms then", to = "names.parse_held(first).deadline_ms < 0 then" },
  { name = "a living worker's folder is swept", file = "lua/submitter/jobs.lua", suites = specs "jobs_spec.lua",
    from = 'local lock, why, code = directory:lock(entry.name .. "/.")',
    to = 'local lock, why, code = directory:lock(entry.name .. "/.", { shared = true })\n'
      .. '      lock = lock or { release = function() end }' },

  -- ---- grading ----
  { name = "a carriage return stays on the line", file = "lua/submitter/cases/lines.lua", suites = specs "cases",
    from = "if newline and text:byte(stop) == 13 and stop >= start then stop = stop - 1 end", to = "" },
  { name = "a program that fails with the right answer passes", file = "lua/submitter/pipeline/compare.lua",
    suites = specs "pipeline", from = "result.exit_code ~= 0 then", to = "result.exit_code > 255 then" },
  { name = "the attempt is raised by every grading", file = "lua/submitter/pipeline/truth.lua", suites = specs "pipeline",
    from = "== job.source_sha256 and 0 or 1)", to = "== job.source_sha256 and 1 or 1)" },
  { name = "what stands isn't compared before it is replaced", file = "lua/submitter/pipeline/publish.lua",
    suites = specs "pipeline",
    from = "job.truth_etag and { if_match = job.truth_etag } or { if_none_match = true }", to = "nil" },
  { name = "a stale error stays beside the result", file = "lua/submitter/pipeline/publish.lua", suites = specs "pipeline",
    from = "  return remove(job, job.names.error)\n", to = "  return true\n" },
  { name = "hidden cases show what was expected", file = "lua/submitter/report/case.lua", suites = specs "report",
    from = 'expected = { "expected" },', to = "" },
  { name = "standard error is cut one byte late", file = "lua/submitter/report/case.lua", suites = specs "report",
    from = "local STDERR_BYTES = 4 * 1024", to = "local STDERR_BYTES = 4 * 1024 + 1" },
  { name = "the lease is extended too late", file = "lua/submitter/lease.lua", suites = specs "lease_spec.lua",
    from = "  local pause_ms = math.max(1, visibility_ms // 2)\n", to = "  local pause_ms = math.max(1, visibility_ms * 2)\n" },
  { name = "two gradings of one submission run at once", file = "lua/submitter/worker.lua", suites = specs "worker_spec.lua",
    from = "  while self.graded[name] do self.graded[name]:wait() end\n", to = "" },
  { name = "the last failure is tried again", file = "lua/submitter/worker.lua", suites = specs "worker_spec.lua",
    from = "local is_last = message.failures + 1 >= self.configuration.failure_limit and",
    to = "local is_last = message.failures >= self.configuration.failure_limit and" },
  { name = "an outage wears messages out", file = "lua/submitter/worker.lua", suites = specs "worker_spec.lua",
    from = 'outcome.kind == "retry" and self.outage:explains(outcome)', to = "false" },
  { name = "doctor takes a bucket that ignores conditions", file = "lua/submitter/cli/reach.lua",
    suites = specs "cli/reach_spec.lua", from = "if written then return nil, CONDITIONS_IGNORED end", to = "" },
  { name = "a pattern's steps aren't counted", file = "csrc/io/pattern.c", suites = specs "core/pattern_spec.lua",
    from = "    state->steps--;\n", to = "" },
  { name = "the delay doesn't grow", file = "lua/submitter/retry.lua", suites = specs "retry_spec.lua",
    from = "(1 << math.min(failures, 30))", to = "(1 << math.min(failures, 0))" },
}
