-- The configuration of compose.yaml's worker; SUBMITTER_… and AWS_… variables there say where everything is.
local in_containers = (getenv "SUBMITTER_RUNNER_IMAGE" or "") ~= ""

return {
  bucket = s3 { name = "submissions", path_style = true },
  queue = sqs { url = "http://cloud:5000/123456789012/submissions" },
  -- As docker/worker.lua.
  accounting = not in_containers and "container" or nil,
  slots = not in_containers and 1 or nil,
}
