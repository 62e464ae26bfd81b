--- Docker and Podman by their API. See README.md.
local client = require "submitter.engine.client"
local probe = require "submitter.engine.probe"

return { open = client.new, probe = probe.probe, image = probe.image }
