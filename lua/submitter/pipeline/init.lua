--- One submission, step by step; README.md has the fields of a job and the codes of failures.
local pipeline = {}

--- What the worker does with a message, in order. Another list may be handed to the worker.
---@return fun(job:table):true|nil, string|nil, string|nil [] a fresh list
function pipeline.steps()
  return {
    require("submitter.pipeline.fetch").step,
    require("submitter.pipeline.students").step,
    require "submitter.pipeline.cases",
    require "submitter.pipeline.run",
    require("submitter.pipeline.compare").whole,
    require("submitter.pipeline.publish").step,
  }
end

--- Runs the steps one after the other, until one fails.
---@async
---@param job table
---@param steps fun(job:table)[]
---@return true|nil
---@return string|nil message
---@return string|nil code
function pipeline.run(job, steps)
  for _, step in ipairs(steps) do
    local done, message, code = step(job)
    if not done then return nil, message, code end
  end
  return true
end

--- A job for an instructor at a desk: local files, no bucket, nothing published. Run it with `pipeline.desk_steps()`;
--- then `submitter.report` makes the document, and `pipeline.close(job)` must be called whatever happened.
---@param options table source, cases (of a source of `submitter.cases`), policy, runner; optional: mode (default
--- "test"), configuration, progress
---@return table job
function pipeline.desk(options)
  local host = require "submitter.host"
  return {
    mode = options.mode or "test",
    source = options.source,
    source_sha256 = host.digest.sha256(options.source),
    cases = options.cases.cases,
    cases_sha256 = options.cases.sha256,
    cases_source = options.cases.source or "files",
    policy = options.policy,
    runner = options.runner,
    configuration = options.configuration,
    progress = options.progress,
    started_ms = host.clock.now_ms(),
  }
end

--- What `submitter grade` runs of the pipeline.
---@return fun(job:table)[]
function pipeline.desk_steps()
  return {
    require("submitter.pipeline.source").step,
    require "submitter.pipeline.run",
    require("submitter.pipeline.compare").whole,
  }
end

--- Ends what a job still holds: the sandbox. May be called again.
---@async
---@param job table
---@return true|nil
---@return string|nil message
---@return string|nil code
function pipeline.close(job)
  return require("submitter.pipeline.session").close(job)
end

return pipeline
