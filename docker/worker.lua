-- What the worker's image brings as /etc/submitter/submitter.lua; a file mounted there takes its place, and SUBMITTER_…
-- variables win over either.
--
-- A container can't have control groups below its own, so programs are measured by those of the whole container: one submission
-- at a time, and more at a time by more workers. Where programs run in containers of their own (SUBMITTER_RUNNER_IMAGE, and the
-- engine's socket) each is measured for itself, and the slots are the processors.
local in_containers = (getenv "SUBMITTER_RUNNER_IMAGE" or "") ~= ""

return {
  accounting = not in_containers and "container" or nil,
  slots = not in_containers and 1 or nil,
}
