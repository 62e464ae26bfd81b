std = "lua54"
max_line_length = 120
files["spec"] = { std = "lua54+busted" }
files["lua/meta"] = { ignore = { "212", "211", "241", "631" } } -- declarations only
files["rockspec"] = { std = "rockspec" }
