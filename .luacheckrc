std = "lua54"
max_line_length = 120
max_comment_line_length = 130
files["spec"] = { std = "lua54+busted" }
files["spec/faults_list.lua"] = { max_line_length = 160 } -- the places of faults are quoted as they stand
files["lua/meta"] = { ignore = { "212", "211", "241", "631" } } -- declarations only
files["rockspec"] = { std = "rockspec" }
files["spec/run.lua"] = { globals = { "arg" } }
files["docker/**/submitter.lua"] = { read_globals = { "getenv", "s3", "sqs", "postgres", "docker" } } -- configurations
files["docker/worker.lua"] = { read_globals = { "getenv" } }
