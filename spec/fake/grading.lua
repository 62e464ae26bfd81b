--- One assignment with three cases and one submission to it, in memory: what specs of the pipeline and the worker
--- begin with.
local host = require "submitter.host"
local key = require "submitter.key"
local pipeline = require "submitter.pipeline"

local jobs = require "spec.fake.jobs"
local queue = require "spec.fake.queue"
local runner = require "spec.fake.runner"
local store = require "spec.fake.store"
local support = require "spec.support"

local grading = {
  subid = "fc55c0190dde2bc413d8d1e79fb8cca2",
  token = "d823640ab3b0f7a4a2bc9fc89661e940",
  base = "m.soltys/aws_labs/lab5",
}
grading.prefix = grading.base .. "/" .. grading.subid .. "/" .. grading.subid

--- The submission document of the submission, with fields replaced.
function grading.document(fields)
  local document = {
    subid = grading.subid, admin = "m.soltys", event = "aws_labs", assignment = "lab5", tokens = { grading.token },
  }
  for name, value in pairs(fields or {}) do document[name] = value end
  return host.json.encode(document)
end

--- All parts, as `worker.new` takes them. `source` is the name of a program of the fake runner.
function grading.parts(source)
  local configuration = {
    slots = 2, visibility_ms = 30000, failure_limit = 3, retry_delay_ms = 1000, source_limit_bytes = 1048576,
    document_limit_bytes = 65536, policy = { from_bucket = false, limits = {} },
    bucket = { kind = "directory" }, queue = { kind = "directory" },
  }
  return {
    configuration = configuration,
    store = store.open {
      [grading.prefix .. ".json"] = grading.document(),
      [grading.prefix .. ".py"] = source or "sum",
      [grading.base .. "/grading/test.in"] = "1 2\n3 4\n5 6\n",
      [grading.base .. "/grading/test.out"] = "3\n7\n11\n",
      [grading.base .. "/grading/grade.in"] = "10 20\n",
      [grading.base .. "/grading/grade.out"] = "30\n",
    },
    queue = queue.open(), jobs = jobs.open(), runner = runner.open(), steps = pipeline.steps(),
  }
end

--- A policy directory with these files, by name. It is a real one, because it is opened anew by its path: whoever asks
--- for it says `after_each(support.clean)`.
function grading.policies(files)
  local directory = support.directory()
  for name, text in pairs(files) do assert(directory:write(name, text, { parents = true })) end
  return directory
end

--- A job for the submission, as `submitter.grading` makes it.
function grading.job(parts, fields)
  local location = assert(key.parse_document(grading.prefix .. ".json"))
  local job = {
    location = location, mode = "test", configuration = parts.configuration, store = parts.store, runner = parts.runner,
    policy_directory = parts.policy_directory, started_ms = 1700000001000,
  }
  for name, value in pairs(fields or {}) do job[name] = value end
  job.names = key.names(job.location, job.mode)
  return job
end

--- The message's body that announces it.
function grading.message(fields)
  local body = { subdata = grading.prefix .. ".json" }
  for name, value in pairs(fields or {}) do body[name] = value end
  return host.json.encode(body)
end

--- A document that was published, decoded.
function grading.published(parts, suffix)
  local text = parts.store.objects[suffix]
  return text and assert(host.json.decode(text))
end

return grading
