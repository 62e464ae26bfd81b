-- The configuration of workers in pods. Region, bucket and queues are yours to put in; the queue stands in scaling.yaml as well.
return {
  bucket = s3 { name = "submissions", region = "eu-central-1" },
  queue = sqs {
    url = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions",
    dead_letter_url = "https://sqs.eu-central-1.amazonaws.com/123456789012/submissions-dead",
  },
  -- A pod can make no control groups below its own: one submission at a time, bounded by the pod's memory.
  accounting = "container",
  slots = 1,
  -- A pod that is killed leaves its message to others after this.
  visibility = "1m",
  policy = {
    directory = "/etc/submitter/policy",
    -- The most that policies may allow. A program's files are in memory; with them, and 256 MiB for worker, walls and
    -- interpreter, it fits the pod's 1Gi.
    limits = { memory = "512M", files = "128M", processes = 32 },
  },
  log = { format = "json" },
}
